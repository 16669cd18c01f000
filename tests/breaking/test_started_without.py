"""Processes that start while the database or the bucket is away, and what is there when these are back."""

import itertools
import threading
import time
from types import SimpleNamespace

import psycopg
import pytest
from django.conf import settings as our_settings
from django.core.checks import Error
from django.db import OperationalError, connection, connections
from django.test import Client

from mailboxes.errors import StoreFailed
from mailboxes.store import store
from tenants import starting, unasked
from tests.breaking.kit import Box, mails
from tests.cast import customer
from tests.gateway.kit import Certificates, gateway_running

OF_EARLIER_RELEASE = (
    "DELETE FROM public.django_migrations WHERE app = 'tenants' AND name LIKE '0017%' RETURNING app, name"
)
UPGRADED = "INSERT INTO public.django_migrations (app, name, applied) VALUES (%s, %s, now())"


@pytest.fixture(autouse=True)
def asked_at_once(monkeypatch):
    monkeypatch.setattr(unasked, "AGAIN_SECONDS", 0.0)
    yield
    unasked.begin((), list)


def page():
    host = f"acme.{our_settings.BASE_DOMAIN}"
    return Client(raise_request_exception=False).get("/accounts/login/", headers={"host": host}).status_code


def test_a_database_that_comes_back_as_another_serves_nobody_until_it_is_mended(server, tmp_path, caplog):
    """Each thread of each process asks when it connects; one that is at it alone, for all."""
    box = Box(customer("acme"))
    text, later = mails(2)
    server.stop()
    starting.refuse_unsafe_setup()
    assert page() == 503
    server.start()
    with psycopg.connect(server.url, autocommit=True) as beside:
        [earlier] = beside.execute(OF_EARLIER_RELEASE).fetchall()
        assert page() == 503
        assert (
            "gatehouse.E028: The database is of an earlier release. Run `manage.py upgrade`." in caplog.text
        )
        with gateway_running(Certificates(tmp_path)) as clients:
            assert clients.send(text, box.address).startswith(b"4")
            beside.execute(UPGRADED, earlier)
            assert clients.send(later, box.address).startswith(b"250 ")
    assert page() == 200
    assert not unasked.is_anything()


def test_who_comes_while_it_is_asked_waits_for_the_answer(db):
    asked, answered, got = threading.Event(), threading.Event(), []

    def ask():
        asked.set()
        answered.wait(10)
        return []

    def connect():
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT 1")
            got.append(cursor.fetchone())
        connections.close_all()

    unasked.begin(unasked.STARTS_ALL_THE_SAME, ask)
    threads = [threading.Thread(target=connect) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert asked.wait(10)
    assert got == []
    answered.set()
    for thread in threads:
        thread.join(10)
    assert got == [(1,)] * 3


def test_a_check_that_breaks_is_no_good_answer(db):
    def ask():
        raise ValueError("it is broken")

    unasked.begin(unasked.STARTS_ALL_THE_SAME, ask)
    with pytest.raises(unasked.NotFit, match="could not be asked"):
        unasked.settle(unasked.DATABASE)
    assert unasked.is_anything()


@pytest.mark.parametrize(
    "asked", ["it breaks", "it breaks in turn with an answer", "it answers in other words each time"]
)
def test_what_stays_wrong_is_said_once_and_then_once_a_minute(db, monkeypatch, caplog, asked):
    times = itertools.count()

    def ask():
        number = next(times)
        if asked == "it breaks" or (asked == "it breaks in turn with an answer" and number % 2):
            raise ValueError(f"it is broken, {number}")
        return [Error(f"of process {number}", id="gatehouse.E028")]

    def told_in_ten_rounds():
        caplog.clear()
        for _ in range(10):
            with pytest.raises(unasked.NotFit):
                unasked.settle(unasked.DATABASE)
        return len(caplog.records)

    unasked.begin(unasked.STARTS_ALL_THE_SAME, ask)
    kinds = 2 if "in turn" in asked else 1
    assert told_in_ten_rounds() == kinds
    assert told_in_ten_rounds() == 0
    later = time.monotonic() + unasked.SAME_AGAIN_SECONDS
    monkeypatch.setattr(unasked, "time", SimpleNamespace(monotonic=lambda: later))
    assert told_in_ten_rounds() == kinds
    assert unasked.is_anything()


def test_a_bucket_that_comes_back_and_keeps_what_is_deleted_gets_no_mail(
    committed_db, s3_gate, settings, caplog
):
    there, settings.S3_ENDPOINT = settings.S3_ENDPOINT, "http://127.0.0.1:9"
    starting.refuse_unsafe_setup()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # what needs no bucket goes on
    settings.S3_ENDPOINT = there
    s3_gate.says(
        "200 OK",
        "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
        to="?versioning",
        whole=True,
    )
    with pytest.raises(StoreFailed):
        store().folders()
    with pytest.raises(StoreFailed):
        store().require_ready()
    assert "gatehouse.E025" in caplog.text
    s3_gate.open()
    assert store().folders() == []


def test_nothing_is_asked_twice_within_a_moment(db, monkeypatch):
    monkeypatch.setattr(unasked, "AGAIN_SECONDS", 60.0)
    asked = []
    unasked.begin(unasked.STARTS_ALL_THE_SAME, lambda: asked.append(1) or [Error("no", id="gatehouse.E028")])
    for _ in range(3):
        with pytest.raises(OperationalError, match="gatehouse.E028"):
            unasked.settle(unasked.DATABASE)
    assert asked == [1]


def test_who_is_stopped_while_it_is_asked_leaves_no_connection_behind(db, monkeypatch):
    def stopped(_about):
        raise SystemExit

    other = connections.create_connection("default")
    monkeypatch.setattr(unasked, "settle", stopped)
    with pytest.raises(SystemExit):
        other.ensure_connection()
    assert other.connection is None
