"""Mailboxes that are full from the start: put there without the promises of a delivery, which is measured elsewhere."""

import os
from collections.abc import Iterable
from uuid import uuid4

from django.db import connection
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.models import Mailbox, MailboxKey, Message, TallyChange
from mailboxes.services import create_mailbox, tallies
from mailboxes.store import store
from mailboxes.vault import MessageContext, Secret, seal
from tenants.models import Customer


def filled(customer: Customer, name: str, texts: Iterable[bytes]) -> tuple[Mailbox, Secret]:
    """A mailbox in which these messages wait, and its password."""
    mailbox, password = create_mailbox(customer, name=name, by=SYSTEM)
    with tenant_context(customer):
        key = MailboxKey.objects.get(mailbox=mailbox)
        rows = []
        for text in texts:
            uid = uuid4()
            blob = store().new_name(customer.pk, mailbox.pk)
            path = store().path(blob)
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
            context = MessageContext(customer.pk, mailbox.pk, uid)
            with open(path, "wb") as file:  # noqa: PTH123
                file.writelines(seal([text], bytes(key.public_key), context=context))
            rows.append(Message(uid=uid, mailbox=mailbox, key=key, octets=len(text), blob=blob))
        Message.objects.bulk_create(rows, batch_size=1000)
        _count(customer, mailbox, key, len(rows), sum(row.octets for row in rows))
    os.sync()
    return mailbox, password


def listed(customer: Customer, name: str, messages: int) -> Mailbox:
    """A mailbox with so many messages as far as the database knows; there are no blobs."""
    mailbox, _ = create_mailbox(customer, name=name, by=SYSTEM)
    with tenant_context(customer):
        key = MailboxKey.objects.get(mailbox=mailbox)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO mailboxes_message (uid, mailbox_id, key_id, octets, blob, received_at)"
                " SELECT gen_random_uuid(), %s, %s, 76800, %s || number, now() FROM generate_series(1, %s) AS number",
                [mailbox.pk, key.pk, f"{mailbox.pk.hex}/", messages],
            )
            cursor.execute("ANALYZE mailboxes_message")
        _count(customer, mailbox, key, messages, messages * 76800)
    return mailbox


def _count(customer: Customer, mailbox: Mailbox, key: MailboxKey, messages: int, octets: int) -> None:
    TallyChange.objects.create(mailbox=mailbox, key=key, messages=messages, octets=octets)
    tallies.fold(customer)
