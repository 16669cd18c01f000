"""After the whole story nothing of ours knows a password, a private key or a line of mail."""

import logging
import re
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import redis
from django.conf import settings as django_settings
from django.db import connection
from django_tenants.utils import tenant_context

from mailboxes.models import Job, Mailbox, MailboxKey
from mailboxes.services.keyring import open_keyring
from mailboxes.tasks import fold_all_tallies, work_job
from mailboxes.vault import Secret, new_password
from tests.gateway.kit import Certificates, gateway_running
from tests.journeys.searching import database_dump, files_below, leaks, redis_content, session_rows

MAIL = (
    b"From: Canary Sender <sender-canary-3kq8@mail.example>\r\n"
    b"To: recipient-canary-77xw@mail.example\r\n"
    b"Subject: subject canary zr41 for nobody\r\n"
    b'Content-Disposition: attachment; filename="attachment-canary-m5d2.pdf"\r\n'
    b"\r\n"
    b"The body canary hj60 sings at dawn only.\r\n"
)
LINES = {
    "sender": b"sender-canary-3kq8@mail.example",
    "recipient": b"recipient-canary-77xw@mail.example",
    "subject": b"subject canary zr41 for nobody",
    "attachment's name": b"attachment-canary-m5d2.pdf",
    "body": b"The body canary hj60 sings at dawn only.",
}


@pytest.fixture
def log_file(tmp_path):
    """Everything that anything logs, at DEBUG, SQL with its parameters included."""
    path = tmp_path / "logs" / "all.log"
    path.parent.mkdir()
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s"))
    loggers = [logging.getLogger(name) for name in ("", "django", "gateway", "gateway.smtp", "gateway.pop3")]
    levels = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    for logger in (logging.getLogger(), logging.getLogger("django")):  # the second does not propagate
        logger.addHandler(handler)
    connection.force_debug_cursor = True
    yield path
    connection.force_debug_cursor = False
    for logger in (logging.getLogger(), logging.getLogger("django")):
        logger.removeHandler(handler)
    for logger, level in levels:
        logger.setLevel(level)
    handler.close()


@pytest.fixture
def redis_client():
    # A busy machine may say nothing to Redis for longer than the client would listen.
    client = redis.Redis.from_url(django_settings.REDIS_URL, socket_timeout=None)
    yield client
    client.close()


@pytest.fixture
def redis_traffic(redis_client, tmp_path):
    """What is said to Redis during the story."""
    path = tmp_path / "redis-monitor.log"
    heard = path.open("w")
    with redis_client.monitor() as monitor:
        listening = threading.Event()

        def listen() -> None:
            for command in monitor.listen():
                heard.write(f"{command['command']}\n")
                if "the story is over" in command["command"]:
                    listening.set()
                    return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()

        def stop() -> bytes:
            redis_client.echo("the story is over")
            assert listening.wait(10)
            heard.flush()
            return path.read_bytes()

        yield stop
        thread.join(1)
    heard.close()


@pytest.fixture
def story(committed_db, cast, acme, client_for, log_file, redis_traffic, redis_client, settings, tmp_path):
    """Create in the browser's way, send, look, collect; with everything that goes wrong on a bad day."""
    settings.DEBUG_PROPAGATE_EXCEPTIONS = False
    browser = client_for(None, raise_request_exception=False)
    browser.post("/accounts/login/", {"login": cast.admin.email, "password": "wrong-password-canary-9f"})
    browser.force_login(cast.admin)
    password, created = create_in_the_browser(browser)
    with tenant_context(acme):
        mailbox = Mailbox.objects.get(name="Journal")
        (private,) = open_keyring(acme.pk, mailbox.pk, Secret(password)).values()
    opened = SimpleNamespace(address=mailbox.address, password=password)
    waiting = send_and_collect(opened, settings, tmp_path)
    second, job = reset_in_the_browser(browser, mailbox, password)
    with tenant_context(acme):
        keyring = open_keyring(acme.pk, mailbox.pk, Secret(second))
    private_keys = {f"private key {pk}": key.seed() for pk, key in keyring.items()}
    let_workers_do(acme, job, browser, second, settings)
    waiting += files_below(settings.STORE_ROOT)
    browser.get(created)
    browser.get("/mailboxes/")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_lsn()")
    fold_all_tallies.delay()

    def delete() -> list[bytes]:
        """Delete the mailbox to the end; what its keys were."""
        with tenant_context(acme):
            publics = [bytes(key.public_key) for key in MailboxKey.objects.filter(mailbox=mailbox)]
        browser.post(f"/mailboxes/{mailbox.pk}/edit/", {"name": "Journal", "status": "suspended"})
        started = browser.post(f"/mailboxes/{mailbox.pk}/delete/", {"confirmed_name": "Journal"})
        work_job(acme.schema_name, started["Location"].rstrip("/").rpartition("/")[2])
        assert browser.get(f"/mailboxes/deleted/{mailbox.pk}/").status_code == 200
        return publics

    return SimpleNamespace(
        log_file=log_file,
        redis=redis_client,
        traffic=redis_traffic,
        waiting=waiting,
        secrets={
            "password": password.encode(),
            "second password": second.encode(),
            "private key": private.seed(),
            **private_keys,
            **LINES,
        },
        delete=delete,
    )


def create_in_the_browser(browser) -> tuple[str, str]:
    """Without the tick, altered, right, and twice. The password, and where the mailbox is."""
    page = browser.post("/mailboxes/new/", {"name": "Journal", "description": "for the story"})
    password = re.search(r'id="generated-password"[^>]*>\s*([^<\s]+)', page.content.decode())[1]
    token = re.search(r'name="token" value="([^"]+)"', page.content.decode())[1]
    form = {"token": token, "name": "Journal", "description": "for the story"}
    browser.post("/mailboxes/new/", form)  # without the tick
    browser.post("/mailboxes/new/", {**form, "token": token[:-3] + "xyz", "understood": "on"})
    created = browser.post("/mailboxes/new/", {**form, "understood": "on"})
    assert created.status_code == 302
    browser.post("/mailboxes/new/", {**form, "understood": "on"})  # a double click
    return password, created["Location"]


def send_and_collect(opened, settings, tmp_path) -> bytes:
    """Mail goes in and out, with what may go wrong on the way. What lay in the store meanwhile."""
    with gateway_running(Certificates(tmp_path), redis_url=django_settings.REDIS_URL) as clients:
        assert clients.send(MAIL, opened.address, sender="sender-canary-3kq8@mail.example").startswith(
            b"250 "
        )
        kept = settings.STORE_ROOT
        settings.STORE_ROOT = tmp_path / "no-folder"
        settings.STORE_ROOT.write_text("a file where the store should be")
        assert clients.send(MAIL, opened.address).startswith(b"451 ")
        settings.STORE_ROOT = kept
        wire = clients.pop3_wire()
        wire.ask(f"USER {opened.address}".encode())
        assert wire.ask(f"PASS {new_password().reveal()}".encode()).startswith(b"-ERR")
        wire = clients.pop3_wire(secure=False)
        wire.ask(f"USER {opened.address}".encode())
        wire.ask(f"PASS {opened.password}".encode())  # in clear: refused, but they said it
        waiting = files_below(settings.STORE_ROOT)
        assert MAIL in clients.collect(opened)[0]
        (sealed,) = [path for path in settings.STORE_ROOT.rglob("*") if path.is_file()]
        whole = sealed.read_bytes()
        sealed.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        wire = clients.logged_in(opened)
        assert wire.ask(b"RETR 1").startswith(b"-ERR")
        wire.ask(b"QUIT")
        sealed.write_bytes(whole)
        assert clients.send(MAIL, opened.address).startswith(b"250 ")
    return waiting


def let_workers_do(acme, job, browser, password, settings) -> None:
    """First they can't find the files, then the job needs the password again, and in the end all is done."""
    kept = settings.STORE_ROOT
    settings.STORE_ROOT = settings.STORE_ROOT / "nothing" / "is" / "here"
    work_job(acme.schema_name, job)  # the files are not where they should be
    settings.STORE_ROOT = kept
    browser.post(f"/mailboxes/jobs/{job}/", {"password": new_password().reveal()})
    browser.post(f"/mailboxes/jobs/{job}/", {"password": password})
    work_job(acme.schema_name, job)
    with tenant_context(acme):
        assert Job.objects.get(pk=job).state == "done"


def reset_in_the_browser(browser, mailbox, password) -> tuple[str, str]:
    """A wrong and a mistyped password, then the right one. The new password, and the job's id."""
    page = f"/mailboxes/{mailbox.pk}/reset-password/"
    for wrong in (new_password().reveal(), password[:-1], "wrong-password-canary-9f"):
        browser.post(page, {"current_password": wrong})
    offered = browser.post(page, {"current_password": password}).content.decode()
    second = re.search(r'id="generated-password"[^>]*>\s*([^<\s]+)', offered)[1]
    token = re.search(r'name="token" value="([^"]+)"', offered)[1]
    browser.post(page, {"token": token})  # without the tick
    accepted = browser.post(page, {"token": token, "understood": "on"})
    browser.post(page, {"token": token, "understood": "on"})  # a double click
    return second, accepted["Location"].rstrip("/").rpartition("/")[2]


def places(story) -> dict[str, bytes]:
    return {
        "the database": database_dump(),
        "the sessions": session_rows(),
        "Redis": redis_content(story.redis),
        "what Redis was told": story.traffic(),
        "the store": story.waiting,
        "the logs": story.log_file.read_bytes(),
        "the state directory": files_below(Path(django_settings.STATE_DIR) / "redis"),
    }


def test_no_secret_is_anywhere_after_the_story(story):
    found = places(story)
    assert all(found[place] for place in ("the database", "the sessions", "what Redis was told", "the store"))
    assert b"delivered" in found["the logs"]
    assert leaks(story.secrets, found) == []


def test_after_a_deletion_no_key_and_no_sealed_message_is_left(story):
    publics = story.delete()
    found = {"the database": database_dump(), "Redis": redis_content(story.redis)}
    assert publics
    assert leaks({f"public key {n}": key for n, key in enumerate(publics)}, found) == []
    assert files_below(Path(django_settings.STORE_ROOT)) == b""
    assert leaks(story.secrets, places(story)) == []


def test_the_search_finds_what_somebody_logs_or_stores_on_purpose(story):
    password = story.secrets["password"].decode()
    logging.getLogger("mailboxes").info("the password is %s", password)
    story.redis.set("planted", LINES["subject"])
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE public.planted (octets bytea)")
        cursor.execute("INSERT INTO public.planted VALUES (%s)", [story.secrets["private key"]])
    found = leaks(story.secrets, places(story))
    assert "password as raw in the logs" in found
    assert "subject as raw in Redis" in found
    assert "private key as hex in the database" in found
