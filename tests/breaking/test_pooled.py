"""Two customers at once through a PgBouncer that gives each transaction whatever session is free, of which there are few."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from django.db import connection, connections

from tests.breaking.conftest import POOL
from tests.breaking.kit import IN_CORE, Box, mails
from tests.breaking.proofs import prove_whole
from tests.breaking.traffic import Traffic
from tests.cast import customer, present
from tests.gateway.kit import Certificates, gateway_running

DISK_MS = 4


@pytest.fixture
def clients(few_sessions, tmp_path_factory):
    with gateway_running(Certificates(tmp_path_factory.mktemp("tls"))) as clients:
        yield clients


@IN_CORE
def test_customers_stay_apart_and_a_killed_worker_frees_its_place(
    few_sessions, clients, own_workers, client_for
):
    cast = present()
    boxes = {
        "acme": Box(customer("acme"), "Ours of Acme"),
        "globex": Box(customer("globex"), "Ours of Globex"),
    }
    people = {"acme": cast.admin, "globex": cast.mallory}
    for box in boxes.values():
        box.seed(mails(150))
    over, seen = threading.Event(), dict.fromkeys(boxes, 0)

    def look(host):
        browser = client_for(people[host], host=host)
        try:
            while not over.is_set():
                page = browser.get("/mailboxes/")
                assert page.status_code == 200
                text = page.content.decode()
                assert boxes[host].mailbox.name in text
                assert not any(box.mailbox.name in text for other, box in boxes.items() if other != host)
                seen[host] += 1
        finally:
            connections.close_all()

    traffic = {name: Traffic(box, clients) for name, box in boxes.items()}
    with ThreadPoolExecutor(4) as hands, ExitStack() as flowing:
        looking = [hands.submit(look, host) for host in [*boxes, *boxes]]
        try:
            for each in traffic.values():
                flowing.enter_context(each.flowing())
            worker = own_workers.start(disk_ms=DISK_MS)
            jobs = {name: box.reset() for name, box in boxes.items()}
            for name, box in boxes.items():
                box.await_done(jobs[name], 20)
            worker.kill()
            own_workers.start()
            for name, box in boxes.items():
                box.await_state(jobs[name], "done")
        finally:
            over.set()
        for each in looking:
            each.result()
        flowing.close()
    for name, box in boxes.items():
        assert seen[name] and traffic[name].arrived and traffic[name].collected
        box.ledger = traffic[name].prove(box.ledger, box.collected(clients))
        prove_whole(box, jobs[name], total=None, killed=True, clients=clients)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = current_user")
        assert cursor.fetchone()[0] <= POOL, "there are fewer sessions than clients"
