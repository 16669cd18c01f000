import json
import logging
import os
import socket
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.db.utils import ConnectionHandler
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.gates import health
from portal.gates.health import HealthMiddleware
from tenants import answering
from tenants.models import WorkerAnswer


@pytest.fixture
def store(settings):
    return settings.STORE_ROOT


@pytest.fixture
def ask(db, store):
    middleware = HealthMiddleware(lambda request: HttpResponse("the page"))

    def ask(path, method="get", **headers):
        return middleware(getattr(RequestFactory(), method)(path, **headers))

    return ask


def test_the_process_answers_on_any_host(ask):
    response = ask("/healthz", HTTP_HOST="no customer, not even a host")
    assert (response.status_code, json.loads(response.content)) == (200, {"status": "ok"})
    assert response["Cache-Control"] == "no-store"


def test_ready_means_that_database_redis_and_store_work(ask, store):
    response = ask("/readyz", HTTP_HOST="192.0.2.1")
    assert response.status_code == 200
    assert json.loads(response.content) == {
        "status": "ok",
        "parts": {"database": "ok", "redis": "ok", "store": "ok", "workers": "ok"},
    }


def test_asking_writes_nothing(ask, store, tmp_path):
    before = store.stat().st_mtime_ns, store.stat().st_ctime_ns
    with CaptureQueriesContext(connection) as asked:
        ask("/readyz")
    assert (store.stat().st_mtime_ns, store.stat().st_ctime_ns) == before
    assert {query["sql"].split()[0] for query in asked} <= {"SELECT", "SET"}


def test_workers_that_no_longer_answer_are_named_while_this_process_serves_on(ask, caplog, monkeypatch):
    answering.note_answer()
    assert json.loads(ask("/readyz").content)["status"] == "ok"
    WorkerAnswer.objects.update(at=timezone.now() - timedelta(days=1))
    monkeypatch.setattr(answering, "started_at", timezone.now())
    assert json.loads(ask("/readyz").content)["status"] == "ok", "everything has only been started"
    assert "Not ready" not in caplog.text
    monkeypatch.setattr(
        answering, "started_at", timezone.now() - answering.SILENT_AFTER - timedelta(seconds=1)
    )
    response = ask("/readyz")
    assert response.status_code == 200
    answer = json.loads(response.content)
    assert (answer["status"], answer["parts"]["workers"]) == ("degraded", "unavailable")
    assert "Not ready: workers" in caplog.text
    answering.note_answer()
    assert json.loads(ask("/readyz").content)["status"] == "ok"


def test_what_lasts_is_logged_once_a_minute_and_its_end_once(ask, settings, monkeypatch, tmp_path, caplog):
    caplog.set_level(logging.INFO, "portal.gates.health")

    def lines():
        return [record.getMessage().split(":")[0] for record in caplog.records]

    there = settings.STORE_ROOT
    settings.STORE_ROOT = tmp_path / "not mounted"
    ask("/readyz")
    ask("/readyz")
    assert lines() == ["Not ready"]
    monkeypatch.setattr(health, "SAME_AGAIN_SECONDS", 0.0)
    ask("/readyz")
    assert lines() == ["Not ready"] * 2
    settings.STORE_ROOT = there
    ask("/readyz")
    ask("/readyz")
    assert lines() == ["Not ready", "Not ready", "Ready again"]


def database_gone(settings, monkeypatch, tmp_path):
    nowhere = settings.DATABASES["default"] | {"HOST": str(tmp_path), "PASSWORD": "the-password"}
    monkeypatch.setattr(health, "connections", ConnectionHandler({"default": nowhere}))


def redis_gone(settings, monkeypatch, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/none.sock"


def store_gone(settings, monkeypatch, tmp_path):
    settings.STORE_ROOT = tmp_path / "not mounted"


@pytest.mark.parametrize(
    ("part", "take_away"), [("database", database_gone), ("redis", redis_gone), ("store", store_gone)]
)
def test_the_part_that_fails_is_named_and_the_reason_stays_inside(
    ask, part, take_away, settings, monkeypatch, tmp_path, caplog
):
    take_away(settings, monkeypatch, tmp_path)
    with caplog.at_level(logging.ERROR, "portal.gates.health"):
        response = ask("/readyz")

    assert response.status_code == 503
    answer = json.loads(response.content)
    assert answer["status"] == "unavailable"
    assert answer["parts"] == dict.fromkeys(health.PARTS, "ok") | {part: "unavailable"}
    assert str(tmp_path) not in response.content.decode()
    assert f"Not ready: {part}" in caplog.text


def test_a_redis_that_says_nothing_is_named_before_a_probe_gives_up(ask, settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        began = time.monotonic()
        response = ask("/readyz")
        assert time.monotonic() - began < 2.5
    assert json.loads(response.content)["parts"]["redis"] == "unavailable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_cannot_be_written_is_not_ready(ask, store):
    store.chmod(0o500)
    assert json.loads(ask("/readyz").content)["parts"]["store"] == "unavailable"


def test_only_reading_is_allowed(ask):
    assert ask("/readyz", method="post").status_code == 405
    assert ask("/healthz", method="head").status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz/", "/readyzz", "/mailboxes/readyz"])
def test_every_other_path_is_somebody_elses(ask, path):
    assert ask(path).content == b"the page"
