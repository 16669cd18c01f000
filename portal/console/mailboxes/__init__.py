"""A customer's mailboxes, on its host. Only people with rights here get this far (portal.gates.hosts)."""
