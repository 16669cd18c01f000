"""Figures of mailboxes and customers as they are read: by lists, charts and usage. Who writes them: `keeping`."""

from tenants.figures.reading import (
    Day,
    Overview,
    Usage,
    Waiting,
    days_of_mailbox,
    days_of_provider,
    mail_of_mailboxes,
    of_customers,
    usage_of,
)

__all__ = [
    "Day",
    "Overview",
    "Usage",
    "Waiting",
    "days_of_mailbox",
    "days_of_provider",
    "mail_of_mailboxes",
    "of_customers",
    "usage_of",
]
