"""Mails to people: how they are written, which there are, and those that are still to be sent."""

from accounts.mails.writing import compose, send, speaking_to

__all__ = ["compose", "send", "speaking_to"]
