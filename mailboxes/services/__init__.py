"""The front door: what people and programs do with mailboxes. Delivery and collection are modules of their own."""

from mailboxes.services.creation import Offer, accept, create_mailbox, offer
from mailboxes.services.finding import (
    SORTABLE,
    MailServers,
    list_mailboxes,
    mailbox_for,
    servers,
)
from mailboxes.services.tallies import Activity, activity

__all__ = [
    "SORTABLE",
    "Activity",
    "MailServers",
    "Offer",
    "accept",
    "activity",
    "create_mailbox",
    "list_mailboxes",
    "mailbox_for",
    "offer",
    "servers",
]
