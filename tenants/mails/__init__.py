"""Mails of this room: invitations, and notices of what others did to somebody's account."""
