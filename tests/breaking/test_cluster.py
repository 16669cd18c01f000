"""Customers on the nodes of a Citus cluster, lent by whoever calls `make cluster`: its own part beside the suite's core."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, connections
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.models import KeyLock, Mailbox
from mailboxes.services import collection, tallies
from portal.doctor import parts
from portal.doctor.findings import Level
from tenants import cluster, spares
from tenants.migrated import unguard
from tenants.models import Customer, DirectoryEntry
from tenants.services import create_customer
from tests import citus
from tests.breaking.kit import PEER, Box, mails, short_or_long, until
from tests.breaking.proofs import needles_of, prove_gone, prove_whole
from tests.breaking.traffic import Traffic
from tests.breaking.workers import ROOT, environment_of_processes
from tests.cast import assemble, customer, provider
from tests.conftest import DATABASE, _drop, _use
from tests.gateway.kit import without_trace

pytestmark = pytest.mark.skipif(not citus.URL, reason=citus.WITHOUT)

CRASHES = short_or_long(2, 15)


@pytest.fixture
def nodes(committed_db) -> list[tuple[str, int]]:
    """Where customers can be."""
    _coordinator, *nodes = citus.places()
    return nodes


def node_of(customer: Customer) -> tuple[str, int] | None:
    """Where all of the customer is; None: on the coordinator."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT nodename, nodeport FROM citus_shards WHERE split_part(table_name::text, '.', 1) = %s",
            [customer.schema_name],
        )
        found = cursor.fetchall()
    assert len(found) <= 1
    return found[0] if found else None


def move(customer: Customer, place: tuple[str, int], mode: str = "auto") -> None:
    """As whoever runs the cluster does it: once more, while Citus's daemon removes what an earlier move has left there."""

    def moved() -> bool:
        with administrator() as server:
            try:
                server.execute(
                    "SELECT citus_schema_move(%s::regnamespace, %s, %s, %s::citus.shard_transfer_mode)",
                    [customer.schema_name, *place, mode],
                )
            except psycopg.InternalError as error:
                assert "leftover from the previous move" in str(error)
                return False
        return True

    until(moved, "the customer has moved")


@contextmanager
def administrator(place: tuple[str, int] | None = None) -> Iterator[citus.Server]:
    with citus.connect(place or citus.places()[0], connection.settings_dict["NAME"]) as server:
        yield server


@pytest.fixture
def from_before(committed_db) -> Box:
    """An installation whose database has become a coordinator, and nothing else was done yet; and a mailbox of it."""
    connections.close_all()
    for server in citus.nodes():
        with server:
            _drop(server, DATABASE)
    citus.create(DATABASE)
    _use(DATABASE)
    call_command("migrate_schemas", shared=True, verbosity=0)
    assemble()
    box = Box(customer("acme"))
    assert node_of(box.customer) is None
    return box


def manage(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        env=environment_of_processes(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


# --- Whoever is made ---
def test_new_customers_are_on_nodes_by_themselves_and_nothing_of_them_stays_here(nodes):
    made = [
        create_customer(f"umbrella{n}", "Umbrella", provider=provider("northwind"), by=SYSTEM) for n in "ab"
    ]
    assert spares.refill() == 2
    made.append(create_customer("umbrellac", "Umbrella", provider=provider("northwind"), by=SYSTEM))
    assert {node_of(customer) for customer in made} == set(nodes)
    assert cluster.left_behind() == cluster.undistributed() == []


# --- Whoever was there before ---
def test_customers_from_before_go_to_nodes_with_all_their_mail_and_no_key_stays_behind(gateway, from_before):
    box = from_before
    box.seed(mails(50))
    refused = manage("distribute_customers")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "manage.py upgrade --public" in refused.stderr
    assert _findings() == {
        "cluster.two-phases": Level.ERROR,
        "cluster.customers": Level.WARNING,
    }
    assert manage("upgrade", "--public").returncode == 0
    stream = Traffic(box, gateway)
    with stream.flowing():
        until(lambda: len(stream.arrived) > 3, "mail comes in")
        done = manage("distribute_customers", "--json")
        assert done.returncode == 0, done.stderr
        arrived = len(stream.arrived)
        until(lambda: len(stream.arrived) > arrived and bool(stream.collected), "mail comes in and goes out")
    report = json.loads(done.stdout)
    schemas = sorted(each.schema_name for each in Customer.objects.all())
    assert (report["distributed"], report["emptied"], report["failed"]) == (schemas, [], {})
    assert {node_of(each) for each in Customer.objects.all()} == set(citus.places()[1:])
    stream.prove(box.ledger, box.collected(gateway))
    assert cluster.left_behind() == []
    assert "Nothing to do." in manage("distribute_customers").stdout


def test_a_distribution_that_was_killed_is_called_again_and_takes_up_what_somebody_else_left(from_before):
    box = from_before
    for number in range(5):
        create_customer(f"umbrella{number}", "Umbrella", provider=provider("northwind"), by=SYSTEM)
    with administrator() as server:
        distribute = "SELECT citus_schema_distribute(%s::regnamespace)"
        with pytest.raises(psycopg.DatabaseError, match="it has triggers"):
            server.execute(distribute, [box.customer.schema_name])
        unguard(box.customer.schema_name)
        server.execute(distribute, [box.customer.schema_name])
    assert cluster.left_behind() == [box.customer.schema_name]
    assert manage("upgrade", "--public").returncode == 0
    assert _findings()["cluster.left-behind"] is Level.ERROR
    begun = len(cluster.undistributed())
    with subprocess.Popen(
        [sys.executable, "manage.py", "distribute_customers"],
        env=environment_of_processes(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        until(lambda: len(cluster.undistributed()) < begun, "the first is distributed")
        process.send_signal(signal.SIGKILL)
    again = manage("distribute_customers", "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["emptied"] == [box.customer.schema_name]
    assert cluster.undistributed() == cluster.left_behind() == []
    assert box.opens(box.password)


# --- Its life ---
def test_a_mailbox_lives_its_whole_life(nodes, workers, gateway, box):
    assert node_of(box.customer) in nodes
    box.seed(mails(300))
    for text in mails(5):
        assert gateway.send(text, box.address).startswith(b"250 ")
    box.ledger = box.collected(gateway)
    assert len(box.ledger) == 305
    workers.start()
    job = box.await_state(box.reset(), "done")
    prove_whole(box, job, total=305, clients=gateway)
    assert tallies.changed_schemas() in ([box.customer.schema_name], [])
    needles = needles_of(box)
    earlier = box.passwords[:-1]
    box.passwords = box.passwords[-1:]  # the keys of others went with their mail
    job = box.delete()
    assert gateway.send(b"Subject: too late\r\n\r\n", box.address).startswith(b"550 ")
    box.await_state(job, "done")
    prove_gone(box, job, needles, messages=305, octets=sum(map(len, box.ledger.values())))
    assert not any(map(box.opens, earlier))


def test_who_has_counters_to_fold_is_found_on_the_nodes(nodes, box):
    box.seed(mails(3))
    until(lambda: tallies.changed_schemas() == [box.customer.schema_name], "PostgreSQL has counted")


# --- Moves ---
@pytest.mark.parametrize("mode", ["force_logical", "block_writes"])
def test_a_customer_moves_while_mail_comes_and_goes(nodes, gateway, box, mode):
    box.seed(mails(200))
    stream = Traffic(box, gateway)
    here = node_of(box.customer)
    there = next(node for node in nodes if node != here)
    with stream.flowing():
        for place in (there, here, there):
            arrived = len(stream.arrived)
            move(box.customer, place, mode)
            until(lambda arrived=arrived: len(stream.arrived) > arrived, "mail comes in")
        until(lambda: bool(stream.collected), "mail goes out")
    assert node_of(box.customer) == there
    stream.prove(box.ledger, box.collected(gateway))


def test_nodes_are_brought_into_balance_while_mail_comes_and_goes(nodes, gateway, box):
    everybody = [
        *Customer.objects.all(),
        create_customer("umbrella", "Umbrella", provider=provider("northwind"), by=SYSTEM),
    ]
    for each in everybody:
        if node_of(each) != nodes[0]:
            move(each, nodes[0])
    stream = Traffic(box, gateway)
    with stream.flowing():
        until(lambda: len(stream.arrived) > 3, "mail comes in")
        with administrator() as server:
            server.execute("SELECT citus_rebalance_start()")
            server.execute("SELECT citus_rebalance_wait()")
    assert {node_of(each) for each in everybody} == set(nodes)
    stream.prove(box.ledger, box.collected(gateway))


# --- Who is killed in the middle ---
def prove_both_or_neither(customers: list[Customer]) -> None:
    """No mailbox without its line in the directory, and no line without its mailbox and key."""
    for each in customers:
        entries = DirectoryEntry.objects.filter(customer=each).exclude(status="retired")
        with tenant_context(each):
            there = {mailbox.pk for mailbox in Mailbox.objects.all()}
            assert set(KeyLock.objects.values_list("key__mailbox", flat=True)) == there
        assert set(entries.values_list("mailbox_id", flat=True)) == there


def settle() -> None:
    """What Citus's daemon does once a minute."""
    with administrator() as server:
        server.execute("SELECT recover_prepared_transactions()")


def prepared(place: tuple[str, int]) -> int:
    with citus.connect(place) as server:
        query = "SELECT count(*) FROM pg_prepared_xacts WHERE database = %s"
        return int(server.execute(query, [connection.settings_dict["NAME"]]).fetchall()[0][0])


@contextmanager
def creating_a_mailbox(acme: Customer) -> Iterator[None]:
    """Somebody does, and may never hear what became of it."""

    def create() -> None:
        with suppress(DatabaseError):
            services.create_mailbox(acme, name="In between", by=SYSTEM)
        connections.close_all()

    thread = threading.Thread(target=create)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def await_the_end_of(statements: str, server: citus.Server) -> None:
    """What one of these does is in that server's log, and whoever asked for it has not heard."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = %s AND query ~ %s"
    )
    name = connection.settings_dict["NAME"]
    until(lambda: server.execute(query, [name, f"^({statements})"]).fetchall() == [(1,)], "it is logged")


def test_what_was_decided_holds_although_both_were_killed_before_the_node_heard(nodes, acme):
    node, coordinator = node_of(acme), citus.places()[0]
    with citus.connect(coordinator) as here, citus.connect(node) as there:
        citus.ask_for_a_standby(here)
        with creating_a_mailbox(acme):
            try:
                await_the_end_of("COMMIT", here)
                assert prepared(node) == 1
            finally:
                citus.crash(there)
                citus.crash(here)
    until(lambda: citus.recovered(node) and citus.recovered(coordinator), "both are back")
    with citus.connect(coordinator) as here:
        citus.ask_for_no_standby(here)
    connections.close_all()
    assert DirectoryEntry.objects.filter(customer=acme).count() == 1
    settle()
    assert prepared(node) == 0
    with tenant_context(acme):
        assert Mailbox.objects.get().name == "In between"
    prove_both_or_neither([acme])


def test_what_was_not_decided_never_was_although_the_node_has_it_in_its_log(nodes, acme):
    node, coordinator = node_of(acme), citus.places()[0]
    with citus.connect(coordinator) as here, citus.connect(node) as there:
        citus.ask_for_a_standby(there)
        try:
            with creating_a_mailbox(acme):
                try:
                    # Without two phases it would be COMMIT, and the node would have decided alone.
                    await_the_end_of("PREPARE|COMMIT", there)
                finally:
                    citus.crash(here)
        finally:
            citus.ask_for_no_standby(there)
    until(lambda: citus.recovered(coordinator), "the coordinator is back")
    connections.close_all()
    settle()
    assert prepared(node) == 0
    assert not DirectoryEntry.objects.filter(customer=acme).exists()
    prove_both_or_neither([acme])


def test_nothing_that_was_promised_is_lost_when_servers_are_killed_while_much_is_done(nodes, gateway):
    """People create mailboxes, and mail comes in; a node and the coordinator are killed in turn, again and again."""
    everybody = list(Customer.objects.all())
    boxes = [Box(each) for each in everybody]
    over = threading.Event()
    promised: list[tuple[str, str]] = []
    arrived: dict[str, list[bytes]] = {box.address: [] for box in boxes}

    def create(each: Customer) -> None:
        for number in range(10_000):
            if over.is_set():
                break
            with suppress(DatabaseError):
                made, password = services.create_mailbox(each, name=f"Number {number}", by=SYSTEM)
                promised.append((made.address, password.reveal()))
        connections.close_all()

    def send(box: Box) -> None:
        while not over.is_set():
            [text] = mails(1)
            reply = gateway.send(text, box.address)
            if reply.startswith(b"250 "):
                arrived[box.address].append(text)
            else:
                assert reply.startswith(b"45"), reply

    def much() -> tuple[int, int]:
        return len(promised), sum(map(len, arrived.values()))

    with ThreadPoolExecutor() as hands:
        working = [hands.submit(create, each) for each in everybody] + [
            hands.submit(send, box) for box in boxes
        ]
        try:
            for number in range(CRASHES * len(citus.places())):
                begun = much()
                until(
                    lambda begun=begun: all(a > b for a, b in zip(much(), begun, strict=True)), "much is done"
                )
                place = citus.places()[number % len(citus.places())] if citus.URL else None
                with citus.connect(place) as server:
                    citus.crash(server)
                until(lambda place=place: citus.recovered(place), "it is back")
            begun = much()
            until(lambda: much() > begun, "all goes on")
        finally:
            over.set()
    for work in working:
        work.result()
    connections.close_all()
    settle()
    assert not any(map(prepared, nodes))
    prove_both_or_neither(everybody)
    for address, password in promised:
        collection.open_maildrop(address, password, peer=PEER).release()
    for box in boxes:
        found = [without_trace(text) for text in box.collected(gateway).values()]
        assert set(arrived[box.address]) <= set(found)


# --- Whoever runs it ---
def test_no_backup_is_taken_that_would_mix_moments(nodes, tmp_path):
    refused = manage("backup", (tmp_path / "backups").as_uri())
    assert refused.returncode == 1
    assert "docs/cluster.md" in refused.stderr
    assert not (tmp_path / "backups").exists()


def _findings() -> dict[str, Level]:
    return {finding.id: finding.level for finding in parts.cluster_nodes()}


def test_the_doctor_sees_how_nodes_are_set(nodes):
    assert set(_findings().values()) == {Level.OK}
    name = connection.settings_dict["NAME"]
    with administrator(nodes[0]) as server:
        server.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
    connections.close_all()
    assert _findings() == {"cluster.settings": Level.ERROR}
    with administrator() as server:
        server.execute("DROP TRIGGER tenants_two_phases ON public.tenants_openjob")
    assert _findings()["cluster.two-phases"] is Level.ERROR
