"""Many threads, many customers, failures among them: everybody sees their own schema and no other."""

import random
import threading

from django.db import connections

REQUESTS = 60


def test_each_request_sees_its_own_schema_whatever_went_before(committed_db, cast, client_for, settings):
    settings.ROOT_URLCONF = "tests.tenants.probe_urls"
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
                page = chance.choice(["/schema/", "/schema/", "/crash/", "/broken/", "/stream/"])
                answer = clients[host].get(page)
                expected = f"c_{host}, public"
                if page == "/schema/" and answer.content.decode() != expected:
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
