"""The administration: platform staff's view of providers, customers, people, roles, the directory and the audit trail.

What changes something for others goes through the services, so that it is checked and recorded as everywhere else. There
is no way here to become somebody in silence: no password, no second factor, no session, and nobody is made here.
"""
