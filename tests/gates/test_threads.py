"""Many threads, many customers, failures among them: everybody sees their own schema and no other."""

import random
import threading
from contextlib import suppress

import pytest
from django.db import DataError, InternalError, OperationalError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import tenant_context

from mailboxes.models import Mailbox

REQUESTS = 60
TELL = ("/schema/", "/rolled-back/", "/rolled-back-in-part/")
AGAIN = {"/schema/": 1, "/rolled-back/": 2, "/rolled-back-in-part/": 2}
PAGES = (*TELL, "/crash/", "/broken/", "/stream/")


def test_each_request_sees_its_own_schema_whatever_went_before(committed_db, cast, client_for, settings):
    settings.ROOT_URLCONF = "tests.gates.probe_urls"
    wrong = []

    def visit(seed):
        chance = random.Random(seed)
        clients = {
            host: client_for(cast.owner, host=host, raise_request_exception=False)
            for host in ("acme", "globex")
        }
        try:
            for _ in range(REQUESTS):
                host = chance.choice(["acme", "globex"])
                page = chance.choice(PAGES)
                answer = clients[host].get(page)
                expected = f"c_{host}, public"
                if page in TELL and answer.content.decode() != expected:
                    wrong.append((host, answer.content))
                if page == "/stream/" and answer.getvalue().decode() != expected * 2:
                    wrong.append((host, page))
        except Exception as error:
            wrong.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=visit, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert wrong == []


@pytest.mark.parametrize("page", TELL)
def test_the_schema_is_sent_once_and_again_after_what_takes_it_back(
    committed_db, cast, client_for, settings, page
):
    """One connection, as a thread keeps it: each customer's request after another's, and after a rollback."""
    settings.ROOT_URLCONF = "tests.gates.probe_urls"
    for host in ("acme", "globex", "globex", "acme"):
        with CaptureQueriesContext(connection) as statements:
            assert client_for(cast.owner, host=host).get(page).content.decode() == f"c_{host}, public"
        sent = [each["sql"] for each in statements if each["sql"].startswith(f'SET search_path = "c_{host}"')]
        assert len(sent) == AGAIN[page]


def test_where_the_server_refuses_the_schema_nothing_is_read(committed_db, acme, globex, make_mailbox):
    """In autocommit, where nothing else would keep the next statement from what the session looked at before."""
    make_mailbox("Of Globex", customer=globex)
    with tenant_context(globex):
        assert list(Mailbox.objects.values_list("name", flat=True)) == ["Of Globex"]

    def refused(execute, sql, params, many, context):
        return execute("SELECT 1/0" if sql.startswith("SET search_path") else sql, params, many, context)

    with tenant_context(acme):
        with connection.execute_wrapper(refused), pytest.raises(OperationalError):
            list(Mailbox.objects.all())
        assert list(Mailbox.objects.all()) == []


def test_what_failed_and_was_swallowed_is_not_committed_in_silence(committed_db, acme, globex, make_mailbox):
    make_mailbox("Of Acme")
    with tenant_context(acme):
        assert Mailbox.objects.exists()
    with tenant_context(globex):
        with pytest.raises(InternalError), transaction.atomic(), suppress(DataError):
            connection.cursor().execute("SELECT 1/0")
        assert not Mailbox.objects.exists(), "and nobody looks at what was there before"
