"""Many threads, many customers, failures among them: everybody sees their own schema and no other."""

import random
import threading

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

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
