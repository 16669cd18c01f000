"""Mails to people: how they are written, which there are, and those that are still to be sent."""

from accounts.mails.writing import compose, portal_url, send, speaking_to

__all__ = ["compose", "portal_url", "send", "speaking_to"]
