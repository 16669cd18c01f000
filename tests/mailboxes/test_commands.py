"""The commands about mailboxes and jobs, as a terminal and a script see them: exit status, one JSON object, one clear line."""

import base64
import io
import json
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command, get_commands, load_command_class
from django.db import connection
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.models import Job, KeyLock, Mailbox, MailboxKey, Message
from mailboxes.services import delivery
from mailboxes.vault import PrivateKey, new_password
from mailboxes.work.slices import work_slice
from tenants.models import AuditEvent, DirectoryEntry, OpenJob
from tests.conftest import PEER, OpenMailbox

ROOT = Path(__file__).resolve().parents[2]
MAILS = [b"Subject: one\r\n\r\n1\r\n", bytes(range(256)) * 500]
WRONG = new_password().reveal() + "\n"  # well-formed, and no mailbox's


@pytest.fixture
def run(database, monkeypatch):
    """What a command prints."""

    def call(*args, stdin=""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        out = io.StringIO()
        call_command(*args, stdout=out)
        return out.getvalue()

    return call


@pytest.fixture
def facts(run):
    """The one JSON object that a command prints, with nothing around it."""
    return lambda *args, stdin="": json.loads(run(*args, "--json", stdin=stdin))


@pytest.fixture
def manage(committed_db, settings):
    """Runs manage.py in a process of its own on this test's database and message store."""
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path="/" + connection.settings_dict["NAME"]).geturl()
    environment = {**os.environ, "DATABASE_URL": url, "GATEHOUSE_STORE_URL": settings.STORE_ROOT.as_uri()}

    def call(*args, stdin=""):
        command, streams = [sys.executable, "manage.py", *args], {"input": stdin, "capture_output": True}
        return subprocess.run(
            command, cwd=ROOT, env=environment, text=True, timeout=120, check=False, **streams
        )

    return call


@pytest.fixture
def worker(committed_db, acme):
    """Somebody works on Acme's jobs while the test's own thread waits for them."""
    stop = threading.Event()

    def go_round():
        try:
            while not stop.wait(0.05):
                with tenant_context(acme):
                    workable = list(Job.objects.filter(state__in=Job.WORKABLE).values_list("pk", flat=True))
                for pk in workable:
                    work_slice(acme, pk)
        finally:
            connection.close()

    thread = threading.Thread(target=go_round)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.fixture
def refused(run, acme, acme_mailbox):
    """The one line with which a command refuses; it ends with status 1 and has changed nothing."""
    inside, outside = (Mailbox, MailboxKey, KeyLock, Message, Job), (DirectoryEntry, OpenJob)

    def everything():
        with tenant_context(acme):
            rows = [list(model.objects.order_by("pk").values_list()) for model in inside]
        rows += [list(model.objects.order_by("pk").values_list()) for model in outside]
        # That a wrong password was tried is written down all the same.
        rows.append(list(AuditEvent.objects.exclude(action="mailbox.password-refused").values_list("pk")))
        return rows

    def call(*args, stdin=""):
        before = everything()
        with pytest.raises(CommandError) as refusal:
            run(*args, stdin=stdin)
        assert refusal.value.returncode == 1
        assert everything() == before
        line = str(refusal.value)
        assert len(line.splitlines()) == 1
        return line

    return call


@pytest.fixture
def address(acme_mailbox):
    return acme_mailbox.address


@pytest.fixture
def first(acme_mailbox):
    """The mailbox's first password, as a line of standard input."""
    return acme_mailbox.password + "\n"


@pytest.fixture
def reset(facts, address, first):
    """What a reset with the first password prints."""
    return lambda: facts("reset_mailbox_password", "acme", address, "--current-password-stdin", stdin=first)


@pytest.fixture
def worked(acme, work):
    """The job of this id, after workers have done what they can."""
    return lambda job_id: work(services.job_for(SYSTEM, acme, UUID(job_id)))


@pytest.fixture
def files(settings):
    """What lies in the store."""
    return lambda: [path for path in settings.STORE_ROOT.rglob("*") if path.is_file()]


def test_a_new_mailbox_is_id_address_and_password(facts, acme, fill, collect):
    made = facts("create_mailbox", "acme", "Journal", "--description", "of all mail")
    with tenant_context(acme):
        mailbox = Mailbox.objects.get(name="Journal")
    assert made == {"id": str(mailbox.pk), "address": mailbox.address, "password": made["password"]}
    assert mailbox.description == "of all mail"
    created = OpenMailbox(mailbox, made["password"])
    fill(*MAILS, to=created)
    assert collect(created.password, of=created) == MAILS


# --- Resetting ---
def test_a_reset_is_address_password_and_job(fill, reset, facts, worked, acme_mailbox, collect):
    fill(*MAILS)
    made = reset()
    assert made == {"address": acme_mailbox.address, "password": made["password"], "job": made["job"]}
    assert collect(made["password"]) == MAILS
    with pytest.raises(errors.BadCredentials):
        collect(acme_mailbox.password)
    at_first = {"id": made["job"], "kind": "re-encryption", "state": "queued", "done": 0, "total": 2}
    assert facts("job", "acme", made["job"]) == at_first
    worked(made["job"])
    assert facts("job", "acme", made["job"]) == at_first | {"state": "done", "done": 2}


def test_there_is_no_job_when_nothing_needs_re_encryption(reset, acme_mailbox, collect):
    made = reset()
    assert made == {"address": acme_mailbox.address, "password": made["password"], "job": None}
    assert collect(made["password"]) == []


def test_without_json_the_password_stands_on_a_line_of_its_own(run, fill, collect, acme_mailbox):
    fill(b"one")
    typed = acme_mailbox.password.lower().replace("-", " ") + "\r\nnot read\r\n"
    command = ("reset_mailbox_password", "acme", acme_mailbox.address.upper(), "--current-password-stdin")
    printed = run(*command, stdin=typed).splitlines()
    assert printed[0] == f"Office 365 Journal: {acme_mailbox.address}"
    assert collect(printed[1].removeprefix("Password: ")) == [b"one"]
    assert printed[3].startswith("Job: ")
    assert acme_mailbox.password not in printed


def test_kept_mail_is_unlocked_by_the_earlier_password(facts, fill, collect, worked, address, first):
    fill(*MAILS)
    made = facts("reset_mailbox_password", "acme", address, "--locked-mail", "keep")
    assert made["job"] is None
    assert collect(made["password"]) == []
    unlocked = facts("unlock_mailbox", "acme", address, "--password-stdin", stdin=first)
    assert unlocked == {"address": address, "job": unlocked["job"]}
    assert collect(made["password"]) == MAILS
    assert worked(unlocked["job"]).state == "done"


def test_deleted_mail_is_removed_by_a_job(facts, fill, collect, worked, address, files):
    fill(*MAILS)
    made = facts("reset_mailbox_password", "acme", address, "--locked-mail", "delete")
    assert facts("job", "acme", made["job"])["kind"] == "locked-mail-deletion"
    worked(made["job"])
    assert files() == []
    assert collect(made["password"]) == []


@pytest.mark.parametrize(
    ("options", "stdin", "says"),
    [
        ([], "", "Choose whether to keep or to delete it. Use --locked-mail keep"),
        (["--locked-mail=burn"], "", "invalid choice"),
        (["--current-password-stdin"], "", "No password came on standard input."),
        (["--current-password-stdin"], "\nsecond line\n", "No password came on standard input."),
        (["--current-password-stdin"], "AAAA-BBBB\n", "was mistyped"),
        (["--current-password-stdin"], WRONG, "not the one of this mailbox"),
        (["--current-password-stdin", "--locked-mail=keep"], "", "leave --locked-mail out"),
    ],
    ids=["undecided", "unknown choice", "no input", "empty line", "mistyped", "wrong", "both"],
)
def test_a_reset_that_can_not_be_changes_nothing(refused, fill, collect, acme_mailbox, options, stdin, says):
    fill(*MAILS)
    line = refused("reset_mailbox_password", "acme", acme_mailbox.address, *options, stdin=stdin)
    assert says in line
    assert collect(acme_mailbox.password) == MAILS


def test_an_unlock_that_can_not_be_changes_nothing(refused, run, fill, address, first):
    fill(b"one")
    unlock = ("unlock_mailbox", "acme", address)
    assert "with --password-stdin" in refused(*unlock)
    assert refused(*unlock, "--password-stdin", stdin=first) == errors.NothingToUnlock().message
    run("reset_mailbox_password", "acme", address, "--locked-mail=keep")
    assert "was mistyped" in refused(*unlock, "--password-stdin", stdin="AAAA-BBBB\n")
    assert "not the one of this mailbox" in refused(*unlock, "--password-stdin", stdin=WRONG)


# --- Suspending, activating, deleting ---
def test_a_mailbox_is_suspended_with_a_reason_and_activated(facts, run, refused, acme, address):
    assert "500" in refused("suspend_mailbox", "acme", address, "--reason", "x" * 501)
    expected = {"address": address, "status": "suspended"}
    assert facts("suspend_mailbox", "acme", address, "--reason", "moving") == expected
    with tenant_context(acme):
        assert Mailbox.objects.get().suspension_reason == "moving"
    with pytest.raises(errors.MailboxSuspended):
        delivery.resolve(address, peer=PEER)
    assert run("activate_mailbox", "acme", address) == "Office 365 Journal is active.\n"
    assert delivery.resolve(address, peer=PEER)
    assert facts("activate_mailbox", "acme", address) == {"address": address, "status": "active"}
    assert run("suspend_mailbox", "acme", address) == "Office 365 Journal is suspended.\n"


def test_an_active_mailbox_is_not_deleted(refused, fill, collect, acme_mailbox):
    fill(*MAILS)
    for options in ([], ["--wait"], ["--json"]):
        line = refused("delete_mailbox", "acme", acme_mailbox.address, *options)
        assert line == "“Office 365 Journal” is still active. Suspend it, then delete it."
    assert collect(acme_mailbox.password) == MAILS


def test_a_deletion_is_address_job_and_state(facts, refused, worked, acme, acme_mailbox):
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    made = facts("delete_mailbox", "acme", acme_mailbox.address)
    assert made == {"address": acme_mailbox.address, "job": made["job"], "state": "queued"}
    for command in ("delete_mailbox", "activate_mailbox", "suspend_mailbox"):
        assert refused(command, "acme", acme_mailbox.address) == "This mailbox is being deleted."
    worked(made["job"])
    job = facts("job", "acme", made["job"])
    assert job == {"id": made["job"], "kind": "deletion", "state": "done", "done": 0, "total": 0}
    assert refused("delete_mailbox", "acme", acme_mailbox.address) == "There is no such mailbox."
    assert services.certificate_of(acme, acme_mailbox.mailbox.pk, by=SYSTEM).valid


def test_a_deletion_that_was_waited_for_has_freed_the_storage(worker, fill, facts, acme_mailbox, files, acme):
    fill(*MAILS)
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    made = facts("delete_mailbox", "acme", acme_mailbox.address, "--wait")
    assert made["state"] == "done"
    assert files() == []
    assert services.certificate_of(acme, acme_mailbox.mailbox.pk, by=SYSTEM).facts["messages"] == len(MAILS)


# --- Jobs ---
def test_a_job_that_was_waited_for_is_over(worker, fill, reset, facts, collect):
    fill(*MAILS)
    made = reset()
    job = facts("job", "acme", made["job"], "--wait")
    assert job == {"id": made["job"], "kind": "re-encryption", "state": "done", "done": 2, "total": 2}
    assert collect(made["password"]) == MAILS


def test_waiting_for_a_job_that_fails_says_why_and_what_to_do(fill, reset, run, refused, worked, files):
    fill(b"one")
    made = reset()
    files()[0].unlink()
    worked(made["job"])
    line = refused("job", "acme", made["job"], "--wait")
    assert line.startswith("failed: 1 message can't be read")
    assert "check_store" in line
    assert "1 message can't be read" in run("job", "acme", made["job"]), "not waiting, it is no error to look"


def test_a_job_without_access_asks_for_the_password_and_goes_on_with_it(
    fill, reset, refused, facts, worked, acme, collect
):
    fill(*MAILS)
    made = reset()
    with tenant_context(acme):
        KeyLock.objects.filter(kind="worker").update(expires_at=timezone.now() - timedelta(seconds=1))
    worked(made["job"])
    job = ("job", "acme", made["job"])
    assert refused(*job, "--wait").startswith("waiting-for-password: ")
    assert refused(*job, "--retry") == errors.PasswordNeeded().message
    again = (*job, "--retry", "--password-stdin")
    assert "standard input" in refused(*again)
    assert "not the one" in refused(*again, stdin=WRONG)
    going_on = facts(*again, stdin=made["password"] + "\n")
    assert (going_on["id"], going_on["state"]) == (made["job"], "queued")
    assert worked(made["job"]).state == "done"
    assert collect(made["password"]) == MAILS
    assert refused(*job, "--retry") == "This job can't be tried again."


# --- All of them ---
@pytest.mark.parametrize("verb", ["reset", "suspend", "activate", "delete", "unlock"])
def test_a_mailbox_that_is_not_the_customers_is_no_mailbox(refused, verb, globex, address, make_mailbox):
    command = f"{verb}_mailbox_password" if verb == "reset" else f"{verb}_mailbox"
    options = ["--password-stdin"] if verb == "unlock" else []
    for customer, whose, says in (
        ("acme", "mbx-0000000000000000@gateway.localhost", "There is no such mailbox."),
        ("acme", make_mailbox(customer=globex).address, "There is no such mailbox."),
        ("nobody", address, "There is no customer “nobody”."),
    ):
        assert refused(command, customer, whose, *options, stdin=WRONG) == says


def test_a_job_that_is_not_the_customers_is_no_job(refused, fill, reset):
    fill(b"one")
    made = reset()
    for customer, job, says in (
        ("acme", str(uuid4()), "There is no such job."),
        ("globex", made["job"], "There is no such job."),
        ("nobody", made["job"], "There is no customer “nobody”."),
        ("acme", "nonsense", "There is no such job."),
    ):
        assert refused("job", customer, job) == says


def test_no_command_takes_a_password_as_an_argument():
    """Arguments stand in the process list, in histories and in logs of schedulers; standard input does not."""
    rooms = ("tenants", "mailboxes", "gateway", "portal")
    ours = {name: room for name, room in get_commands().items() if room in rooms}
    assert {"create_user", "reset_mailbox_password", "unlock_mailbox", "job"} <= ours.keys()
    for name, room in ours.items():
        for option in load_command_class(room, name).create_parser("manage.py", name)._actions:
            words = f"{option.dest} {option.metavar or ''}".lower()
            assert "password" not in words or option.nargs == 0, f"{name} takes {option.dest}"


def test_in_a_shell_a_refusal_is_status_one_and_a_line_on_standard_error(manage, acme_mailbox, fill, collect):
    fill(b"one")
    command = ("reset_mailbox_password", "acme", acme_mailbox.address, "--current-password-stdin", "--json")
    made = manage(*command, stdin=WRONG)
    assert (made.returncode, made.stdout) == (1, "")
    assert made.stderr.splitlines()[-1] == f"CommandError: {errors.WrongCurrentPassword().message}"
    assert "Traceback" not in made.stderr
    assert WRONG.strip() not in made.stderr
    made = manage(*command, stdin=acme_mailbox.password + "\n")
    assert made.returncode == 0, made.stderr
    assert acme_mailbox.password not in made.stdout + made.stderr
    assert collect(json.loads(made.stdout)["password"]) == [b"one"]
    assert manage("reset_mailbox_password", "acme").returncode == 2


# --- The workers' public key ---
def test_the_workers_public_key_is_the_one_that_locks_open_to_theirs(run, settings):
    printed = run("worker_public_key").strip()
    assert base64.b64decode(printed, validate=True) == PrivateKey.from_text(settings.WORKER_KEY).public
    assert settings.WORKER_KEY not in printed


def test_without_a_private_key_there_is_no_public_one(refused, settings):
    settings.WORKER_KEY = ""
    assert refused("worker_public_key") == "Set GATEHOUSE_WORKER_KEY first."


def test_with_the_public_key_alone_a_reset_leaves_work_that_only_workers_can_do(
    run, fill, reset, worked, collect, settings, acme
):
    fill(*MAILS)
    private, settings.WORKER_PUBLIC_KEY = settings.WORKER_KEY, run("worker_public_key").strip()
    settings.WORKER_KEY = ""
    made = reset()
    assert collect(made["password"]) == MAILS
    assert worked(made["job"]).error == "worker-key"
    settings.WORKER_KEY = private
    services.retry(acme, services.job_for(SYSTEM, acme, UUID(made["job"])), by=SYSTEM)
    assert worked(made["job"]).state == "done"
    assert collect(made["password"]) == MAILS
