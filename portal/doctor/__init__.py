"""`manage.py doctor`: what is wrong with an installation, in words.

It begins with the checks that each process makes at its start (portal/checks), and goes on with what these can't see:
what DNS says, what answers at our names, and whether each service does what we need of it. It changes nothing that
lasts, and sends nothing unless it is told to whom.
"""
