"""Mails to people: how they are written, which there are, and those that are still to be sent."""

from accounts.mails.writing import portal_url, send, speaking_to

__all__ = ["portal_url", "send", "speaking_to"]
