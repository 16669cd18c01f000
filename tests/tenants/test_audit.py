"""The audit trail only grows."""

import uuid

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.actors import SYSTEM
from tenants import audit
from tenants.errors import AppendOnly
from tenants.models import AuditEvent


@pytest.fixture
def event(cast, acme):
    return audit.record(
        "mailbox.created", by=cast.owner, customer=acme, target=("mailbox", uuid.uuid4(), "Journal")
    )


def test_an_event_says_who_what_and_where(cast, acme):
    token = audit.origin.set("192.0.2.7")
    try:
        event = audit.record(
            "mailbox.renamed", by=cast.owner, customer=acme, target=acme, data={"before": "A"}
        )
    finally:
        audit.origin.reset(token)
    event.refresh_from_db()
    assert (event.actor_id, event.actor_email) == (cast.owner.pk, cast.owner.email)
    assert (event.customer_id, event.provider_id) == (acme.pk, acme.provider_id)
    assert (event.target_type, event.target_id, event.target_name) == ("customer", str(acme.pk), "Acme")
    assert (event.action, event.origin, event.data) == ("mailbox.renamed", "192.0.2.7", {"before": "A"})


def test_the_system_itself_acts_without_person_or_origin(acme):
    event = audit.record("job.finished", customer=acme, by=SYSTEM)
    assert (event.actor_id, event.actor_email, event.origin) == (None, "", "")


@pytest.mark.parametrize(
    "action",
    ["mailbox.password_reset", "Mailbox.reset", "mailbox", "mailbox.", "mailbox.reset.now", "mailbox.-x"],
)
def test_there_is_one_spelling_of_actions(acme, action):
    with pytest.raises(ValueError, match="not the spelling"):
        audit.record(action, customer=acme, by=SYSTEM)
    assert not AuditEvent.objects.filter(customer_id=acme.pk, action=action).exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event.save(),
        lambda event: event.delete(),
        lambda event: AuditEvent.objects.filter(pk=event.pk).update(action="x"),
        lambda event: AuditEvent.objects.filter(pk=event.pk).delete(),
        lambda event: AuditEvent.objects.bulk_update([event], ["action"]),
    ],
)
def test_python_refuses_to_change_it(event, change):
    with pytest.raises(AppendOnly):
        change(event)


@pytest.mark.parametrize(
    "verb",
    [
        "UPDATE tenants_auditevent SET action = 'x'",
        "DELETE FROM tenants_auditevent",
        "TRUNCATE tenants_auditevent",
    ],
)
def test_the_database_refuses_too(event, verb):
    with (
        pytest.raises(DatabaseError, match="only grows"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(verb)
    assert AuditEvent.objects.get(pk=event.pk).action == "mailbox.created"


def test_a_new_object_with_an_old_id_is_no_way_round(event):
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEvent(pk=event.pk, action="x").save()
