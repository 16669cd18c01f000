"""What looks after all customers at once: it goes on past one that is broken, and costs nothing for those at rest."""

import io
import json
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.tasks import send_mails
from mailboxes import services
from mailboxes.errors import StoreFailed
from mailboxes.models import Job
from mailboxes.services import jobs, tallies
from mailboxes.tasks import fold_all_tallies, ring_stalled_jobs, tell_of_nobodys_folders, tidy_all_stores
from tenants.models import AuditEvent, Customer, DirectoryEntry, OpenJob
from tests.breaking.workers import QUEUE, Bell


@pytest.fixture
def bell():
    bell = Bell()
    bell.flush()
    yield bell
    bell.flush()


def rung(bell):
    """Which tasks lie in the queue, with the schema that they name."""
    items = [json.loads(item) for item in bell.redis.lrange(QUEUE, 0, -1)]
    return [(item["headers"]["task"].rpartition(".")[2], item["headers"]["argsrepr"]) for item in items]


@pytest.fixture
def job(acme_mailbox, fill, acme, cast):
    """A re-encryption at Acme that no worker has heard of yet."""
    fill(b"one", b"two")
    mailbox, password = acme_mailbox.mailbox, acme_mailbox.password
    _password, job = services.reset_password(acme, mailbox, by=cast.admin, current_password=password)
    return job


def fail(acme, job):
    """It fails once too often."""
    with tenant_context(acme):
        Job.objects.update(failures=jobs.ATTEMPTS - 1)
        jobs.note_failure(job, "store-full")


def breaks(customer):
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TABLE "{customer.schema_name}".mailboxes_job CASCADE')
        cursor.execute(f'DROP TABLE "{customer.schema_name}".mailboxes_mailbox CASCADE')


# --- One that is broken ---
def test_a_customer_whose_schema_is_broken_keeps_no_other_customers_job_from_going_on(
    bell, acme, globex, job
):
    OpenJob.objects.create(customer=globex, job_id=uuid4(), state="running")
    breaks(globex)
    OpenJob.objects.update(wake_at=timezone.now() - timedelta(seconds=1))
    bell.flush()
    ring_stalled_jobs()
    assert sum(str(job.pk) in arguments for _task, arguments in rung(bell)) == 4


def test_check_store_goes_on_past_a_customer_that_can_not_be_checked_and_names_it(committed_db, acme, globex):
    breaks(globex)
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError, match="can't be checked: globex"):
        call_command("check_store", "--json", stdout=out, stderr=err)
    found = json.loads(out.getvalue())
    assert found["unchecked"] == ["globex"]
    assert {customer["customer"] for customer in found["customers"]} == {"acme", "initech"}
    assert not found["ok"]
    assert len(err.getvalue().splitlines()) == 1  # what a database says in further lines quotes statements


@pytest.mark.parametrize("left", ["", "; CREATE SCHEMA c_globex"], ids=["nothing", "an empty one"])
def test_check_store_says_of_a_customer_without_a_schema_what_can_be_done(committed_db, acme, globex, left):
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA c_globex CASCADE{left}")
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError, match="can't be checked: globex"):
        call_command("check_store", stdout=out, stderr=err)
    (line,) = err.getvalue().splitlines()
    assert line.startswith(
        "globex can't be checked: it has no schema in the database any more, or one without its keys."
    )
    assert "manage.py restore PLACE --customer globex" in line and "give_up_customer globex." in line
    assert "acme: ok" in out.getvalue()


# --- Those at rest ---
def at_rest(acme, number):
    """So many more customers, with a mailbox each, of which nothing is heard."""
    made = Customer.objects.bulk_create(
        Customer(slug=f"rest{n}", schema_name=f"c_rest{n}", name=f"Rest {n}", provider=acme.provider)
        for n in range(number)
    )
    DirectoryEntry.objects.bulk_create(
        DirectoryEntry(
            address=f"{uuid4().hex}@gateway.localhost",
            customer=customer,
            mailbox_id=uuid4(),
            public_key=b"",
            generation=1,
        )
        for customer in made
    )


@pytest.mark.parametrize("task", [ring_stalled_jobs, fold_all_tallies, send_mails])
def test_what_beat_rings_for_does_not_grow_with_customers_at_rest(acme, bell, task):
    costs = []
    for more in (0, 30):
        at_rest(acme, more)
        bell.flush()
        with CaptureQueriesContext(connection) as asked:
            task()
        costs.append((len(asked), len(rung(bell))))
    assert costs[0] == costs[1]


def test_counters_are_folded_where_something_has_changed(
    committed_db, bell, acme, globex, make_mailbox, fill
):
    make_mailbox("At rest", customer=globex)
    fold_everything()
    fill(b"one")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
    bell.flush()
    fold_all_tallies()
    assert rung(bell) == [("fold_tallies", f"('{acme.schema_name}',)")]


def fold_everything():
    for customer in Customer.objects.all():
        with tenant_context(customer):
            tallies.fold(customer)


def test_the_daily_round_rings_for_some_customers_at_a_time(acme, bell, make_mailbox, monkeypatch):
    from mailboxes import tasks

    monkeypatch.setattr(tasks, "CUSTOMERS_AT_ONCE", 2)
    at_rest(acme, 3)
    tidy_all_stores()
    names = [task for task, _arguments in rung(bell)]
    assert names.count("tidy_store") == 2
    assert names.count("tidy_all_stores") == 1


def test_a_store_that_can_not_be_read_keeps_nobody_from_the_daily_round(
    acme, acme_mailbox, bell, settings, tmp_path
):
    settings.STORE_ROOT = tmp_path / "nowhere"
    settings.STORE_ROOT.symlink_to(settings.STORE_ROOT)
    with pytest.raises(StoreFailed):
        tell_of_nobodys_folders()
    tidy_all_stores()
    names = [task for task, _arguments in rung(bell)]
    assert sorted(names) == ["tell_of_nobodys_folders", "tidy_store"]


# --- Jobs that need somebody ---
def listed(*options):
    out = io.StringIO()
    call_command("jobs", "--json", *options, stdout=out)
    return json.loads(out.getvalue())["jobs"]


def test_the_jobs_of_all_customers_are_listed_and_those_that_failed_alone(acme, job):
    (found,) = listed()
    assert (found["customer"], found["id"], found["state"]) == ("acme", str(job.pk), "queued")
    assert listed("--failed") == []
    fail(acme, job)
    (found,) = listed("--failed")
    assert (found["state"], found["trouble"], found["mailbox"]) == ("failed", "store-full", job.mailbox_name)
    out = io.StringIO()
    call_command("jobs", "--failed", stdout=out)
    assert str(job.pk) in out.getvalue() and "store-full" in out.getvalue()


def test_the_list_of_jobs_says_so_when_there_is_none(acme):
    for options, says in (([], "No job is open."), (["--failed"], "No job needs anybody.")):
        out = io.StringIO()
        call_command("jobs", *options, stdout=out)
        assert out.getvalue().strip() == says


def test_a_failed_job_is_seen_in_both_lists_and_in_the_trail(acme, cast, client_for, job):
    fail(acme, job)
    page = client_for(cast.owner, host=None).get("/customers/").content.decode()
    assert "1 job needs attention" in " ".join(page.split())
    page = client_for(cast.owner).get("/mailboxes/").content.decode()
    assert f'href="/mailboxes/jobs/{job.pk}/"' in page and "Failed" in page
    assert 'hx-trigger="every 3s"' not in page  # nothing moves there any more
    (event,) = AuditEvent.objects.filter(action="job.failed")
    assert (event.customer_id, event.actor_id, event.data["job"]) == (acme.pk, None, str(job.pk))
    page = client_for(cast.owner).get("/activity/").content.decode()
    assert "failed and needs somebody" in page


def test_a_job_that_waits_for_a_password_counts_with_those_that_failed(acme, job):
    with tenant_context(acme):
        jobs.close(job, Job.State.WAITING, "no-lock")
    assert [found["state"] for found in listed("--failed")] == ["waiting-for-password"]
    assert AuditEvent.objects.filter(action="job.waits").exists()


def test_a_job_that_is_over_or_overtaken_is_listed_no_more(acme, job):
    fail(acme, job)
    with tenant_context(acme):
        jobs.close_all(job.mailbox, "mailbox-deleted", Job.Kind.REENCRYPTION)
    assert listed() == []
