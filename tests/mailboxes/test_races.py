"""What happens in the moment in which a reset or a deletion commits; needs transactions of several connections."""

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection, connections
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.models import MailboxKey, Message
from mailboxes.services import collection, delivery
from tests.conftest import PEER
from tests.locks import until_they_wait


@pytest.fixture
def outside(committed_db, acme):
    """A transaction of somebody else in Acme's schema, open until the block ends."""
    known = connection.get_connection_params()
    parameters = {
        name: known[name] for name in ("host", "port", "user", "password", "dbname") if known.get(name)
    }

    @contextmanager
    def begin():
        with psycopg.connect(**parameters) as other:
            other.execute(f'SET search_path = "{acme.schema_name}"')
            yield other

    return begin


@pytest.fixture
def in_background():
    """Runs something on a thread of its own; `join` gives what it returned or raised."""
    started = []

    def start(function):
        outcome = []

        def run() -> None:
            try:
                outcome.append(function())
            except Exception as error:
                outcome.append(error)
            finally:
                connections.close_all()

        thread = threading.Thread(target=run)
        thread.start()
        started.append(thread)

        def join():
            thread.join(30)
            return outcome[0]

        return join

    yield start
    for thread in started:
        thread.join(30)


def test_who_signs_in_while_a_reset_commits_is_refused(outside, in_background, acme_mailbox):
    with outside() as reset:
        reset.execute("UPDATE mailboxes_mailboxkey SET state = 'retired'")
        signing_in = in_background(
            lambda: collection.open_maildrop(acme_mailbox.address, acme_mailbox.password, peer=PEER)
        )
        until_they_wait(reset, 1)
        reset.commit()
    assert isinstance(signing_in(), errors.BadCredentials)


def test_the_later_of_two_presses_at_once_is_told_that_the_password_is_reset(
    outside, in_background, acme, acme_mailbox, cast
):
    offer = services.offer_reset(
        acme, acme_mailbox.mailbox, by=cast.admin, current_password=acme_mailbox.password
    )
    with outside() as other:
        other.execute("SELECT id FROM mailboxes_mailbox FOR UPDATE")
        presses = [
            in_background(
                lambda: services.accept_reset(
                    acme, acme_mailbox.mailbox, offer.token, by=cast.admin, understood=True
                )
            )
            for _ in range(2)
        ]
        until_they_wait(other, 2)
        other.commit()
    outcomes = [press() for press in presses]
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [errors.AlreadyReset]
    collection.open_maildrop(acme_mailbox.address, offer.password.reveal(), peer=PEER).release()


def test_a_reset_waits_for_mail_that_is_being_committed_and_counts_it(
    outside, in_background, acme, acme_mailbox
):
    with outside() as arriving:
        # As a delivery does between its row and its COMMIT.
        arriving.execute("SELECT id FROM mailboxes_mailboxkey FOR SHARE")
        resetting = in_background(
            lambda: services.reset_password(
                acme, acme_mailbox.mailbox, by=SYSTEM, current_password=acme_mailbox.password
            )
        )
        until_they_wait(arriving, 1)
        arriving.execute(
            "INSERT INTO mailboxes_message (uid, mailbox_id, key_id, octets, blob, received_at)"
            " SELECT gen_random_uuid(), mailbox_id, id, 1, 'x', now() FROM mailboxes_mailboxkey"
        )
        arriving.execute(
            "INSERT INTO mailboxes_tallychange (mailbox_id, key_id, messages, octets, put_off)"
            " SELECT mailbox_id, id, 1, 1, 0 FROM mailboxes_mailboxkey"
        )
        arriving.commit()
    _, job = resetting()
    assert job is not None
    assert job.total == 1
    with tenant_context(acme):
        assert MailboxKey.objects.filter(state="retired", messages__isnull=False).exists()


def test_mail_in_the_moment_of_a_deletion_is_refused_and_leaves_nothing(
    outside, in_background, acme, acme_mailbox, settings
):
    on_its_way = delivery.begin(
        [delivery.resolve(acme_mailbox.address, peer=PEER)], trace=lambda recipient: b""
    )
    with outside() as deletion:
        deletion.execute("UPDATE mailboxes_mailboxkey SET state = 'destroyed'")
        delivering = in_background(on_its_way.commit)
        until_they_wait(deletion, 1)
        deletion.commit()
    assert isinstance(delivering(), errors.KeyChanged)
    on_its_way.abort()
    with tenant_context(acme):
        assert not Message.objects.exists()
    assert [path for path in settings.STORE_ROOT.rglob("*") if path.is_file()] == []


def test_without_redis_a_reset_is_done_all_the_same(committed_db, acme, acme_mailbox):
    delivery.deliver([delivery.resolve(acme_mailbox.address, peer=PEER)], [b"mail"])
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"]).geturl()
    done = subprocess.run(
        [sys.executable, "manage.py", "reset_mailbox_password", "acme", acme_mailbox.address]
        + ["--current-password-stdin", "--json"],
        env={**os.environ, "DATABASE_URL": url, "REDIS_URL": "unix:///nowhere/redis.sock"},
        input=acme_mailbox.password,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    new = json.loads(done.stdout)
    assert new["job"]
    collection.open_maildrop(acme_mailbox.address, new["password"], peer=PEER).release()


def test_of_two_who_take_one_name_in_two_spellings_at_once_one_wins(
    outside, in_background, make_mailbox, acme_mailbox
):
    with outside() as other:
        other.execute(
            "UPDATE mailboxes_mailbox SET name = 'Straße', canonical_name = 'strasse' WHERE id = %s",
            [acme_mailbox.mailbox.pk],
        )
        mine = in_background(lambda: make_mailbox("STRASSE"))
        until_they_wait(other, 1)
    assert isinstance(mine(), errors.NameTaken)
