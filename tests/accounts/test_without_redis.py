"""Redis is gone: limits can't be counted, so nobody signs in, and whoever is signed in goes on working."""

import logging
import socket
import time
from contextlib import suppress

import pytest
from redis import Redis, RedisError

from accounts import bell
from accounts.actors import SYSTEM
from accounts.models import PendingMail, User
from accounts.services import create_person
from accounts.tasks import send_mails
from portal.onebox.embedded import redis
from portal.onebox.embedded.addresses import redis_url
from tenants import services
from tenants.models import Membership
from tests.accounts.factors import LOGIN, PASSKEY_LOGIN, is_signed_in, sign_in
from tests.accounts.openid.kit import START
from tests.breaking.kit import until
from tests.cast import PASSWORD
from tests.pages import presses
from tests.tenants.kit import page

FORGOTTEN = "/accounts/password/reset/"
OWN_PASSWORD = "/settings/password/"
ADMIN = "admin@acme.example"
NEW = "seven-lamps-under-water"
WHILE_SILENT = 15  # seconds: a few tries


@pytest.fixture
def redis_dies(settings, turn_to):
    """From then on nothing listens where cache and broker are looked for."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        gone = f"redis://127.0.0.1:{nobody.getsockname()[1]}/0"

    def die():
        settings.CACHES = settings.CACHES | {"default": {**settings.CACHES["default"], "LOCATION": gone}}
        turn_to(gone)

    return die


def is_put_off(answer):
    return answer.status_code == 503 and int(answer["Retry-After"]) > 0


@pytest.mark.parametrize("host", [None, "acme"])
@pytest.mark.parametrize(
    ("path", "sent"),
    [
        (LOGIN, {"login": ADMIN, "password": PASSWORD}),
        (PASSKEY_LOGIN, {"credential": "{}"}),
        (FORGOTTEN, {"email": ADMIN}),
    ],
)
def test_nobody_signs_in_and_a_page_says_so(cast, client_for, redis_dies, caplog, host, path, sent):
    redis_dies()
    client = client_for(host=host)
    assert client.get(path).status_code == 200
    answer = client.post(path, sent)
    assert is_put_off(answer)
    assert "Signing in is not possible for a moment" in answer.content.decode()
    assert not is_signed_in(client)
    (line,) = [record for record in caplog.records if record.name == "portal.gates.limits"]
    assert (line.levelno, line.exc_info) == (logging.ERROR, None)
    assert "nobody signs in" in line.getMessage()


def test_a_cache_that_says_nothing_keeps_a_sign_in_as_long_as_a_bell(db, client_for, settings):
    client = client_for(host=None)
    client.get(LOGIN)  # what a process reads but once
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = {"LOCATION": f"redis://127.0.0.1:{silent.getsockname()[1]}/0"}
        settings.CACHES = settings.CACHES | {"default": settings.CACHES["default"] | there}
        began = time.monotonic()
        assert is_put_off(client.post(LOGIN, {"login": ADMIN, "password": PASSWORD}))
        assert (time.monotonic() - began < 5, tries_at(silent)) == (True, 1)


def test_not_even_with_an_organization(db, client_for, redis_dies):
    redis_dies()
    assert is_put_off(client_for(host=None).post(START, {"login": ADMIN}))


def test_the_page_is_in_the_readers_language(cast, client_for, redis_dies):
    redis_dies()
    sent = {"login": ADMIN, "password": PASSWORD}
    page = client_for().post(LOGIN, sent, headers={"accept-language": "de"}).content.decode()
    assert '<html lang="de"' in page
    assert "Die Anmeldung ist gerade nicht möglich" in page


def test_who_is_signed_in_goes_on_where_nothing_is_counted(cast, client_for, redis_dies):
    client = client_for()
    sign_in(client, ADMIN)
    redis_dies()
    for path in ("/mailboxes/", "/settings/", "/settings/sessions/", "/people/", "/activity/"):
        assert client.get(path).status_code == 200
    client.post("/settings/", {"name": "Ada"})
    assert User.objects.get(email=ADMIN).name == "Ada"
    assert is_put_off(client.post(OWN_PASSWORD, {"current_password": PASSWORD}))
    assert client.get("/settings/").status_code == 200


def test_what_people_are_told_by_mail_is_done_all_the_same_and_told_later(
    cast, client_for, redis_dies, caplog, django_capture_on_commit_callbacks, mailoutbox
):
    client = client_for(cast.admin)
    offer = client.post(OWN_PASSWORD, {"current_password": PASSWORD}).context["offer"]
    redis_dies()
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(OWN_PASSWORD, {"token": offer.token})
    assert answer["Location"] == "/settings/"
    assert User.objects.get(email=ADMIN).check_password(offer.password)
    assert [record for record in caplog.records if "accounts.tasks.send_mails" in record.getMessage()]
    assert mailoutbox == []
    send_mails()  # as beat rings for it
    assert [mail.subject for mail in mailoutbox] == ["Your password was changed"]


@pytest.mark.usefixtures("committed_db")
def test_a_redis_that_says_nothing_keeps_nobody_waiting_for_what_is_done(
    cast, client_for, turn_to, acme, monkeypatch
):
    """It takes the connection and is silent, as a machine that has stopped. It is tried once, and not again for some
    seconds: not by who writes four mails, nor by who removes three people, each in a transaction of its own.
    """
    added = [
        services.add_membership(
            create_person(f"p{number}@acme.example", name="Ada", by=SYSTEM)[0],
            customer=acme,
            role="viewer",
            by=SYSTEM,
        ).pk
        for number in range(3)
    ]
    monkeypatch.setattr(bell, "PAUSE_SECONDS", 60.0)  # however slow this machine is
    client = client_for(cast.admin)
    told = PendingMail.objects.all()
    before = told.count()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        turn_to(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        began = time.monotonic()
        answer = client.post(
            OWN_PASSWORD + "choose/",
            {"current_password": PASSWORD, "new_password": NEW, "new_password_again": NEW},
        )
        took = time.monotonic() - began
        assert answer.status_code == 302
        assert User.objects.get(pk=cast.admin.pk).check_password(NEW)
        assert told.filter(user=cast.admin).exists(), "beat rings for it"
        assert (took < WHILE_SILENT, tries_at(silent)) == (True, 1)
        changed = page(cast.viewer, email="else@acme.example", is_staff=True, is_active=False)
        services.change_person(cast.viewer, **changed, by=SYSTEM)
        assert (told.count() - before, tries_at(silent)) == (1 + 4, 0)
        asked = client_for(cast.staff, host=None).post(
            "/admin/tenants/membership/", {"action": "delete_selected", "_selected_action": added}
        )
        assert presses(asked, "Remove").status_code == 302
        assert not Membership.objects.filter(pk__in=added).exists()
        assert (told.count() - before > 1 + 4, tries_at(silent)) == (True, 0)


@pytest.mark.usefixtures("committed_db")
def test_some_seconds_after_redis_has_come_back_workers_are_rung_for_again(turn_to, state_dir, monkeypatch):
    monkeypatch.setattr(bell, "PAUSE_SECONDS", 1.0)

    def rings():
        """Whether workers hear of what is done."""
        bell.ring_after_commit(send_mails.name)
        with Redis.from_url(redis_url(state_dir)) as client, suppress(RedisError):
            return client.llen("celery") > 0
        return False

    turn_to(redis_url(state_dir).replace("unix://", "redis+socket://"))
    assert not rings()
    for _time in range(2):  # a restart that nobody noticed leaves connections to the one before
        server = redis.start(state_dir, durable=False)
        try:
            until(rings, "the bell is heard again")
        finally:
            server.stop()


def tries_at(server):
    """How many connections it was asked for since the last look."""
    server.setblocking(False)
    tries = 0
    with suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            tries += 1
    return tries
