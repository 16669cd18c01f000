"""Parts of pages that renew themselves, as people notice it who are in the middle of something there."""

from datetime import timedelta

import pytest
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.models import Job
from mailboxes.services import delivery, reset_password
from mailboxes.work.slices import work_slice
from tests.cast import PASSWORD

FOCUS = "() => document.activeElement.id"


@pytest.fixture
def job(committed_db, acme, acme_mailbox):
    """A re-encryption that nobody works on."""
    for mail in (b"one", b"two", b"three"):
        delivery.deliver([delivery.resolve(acme_mailbox.address, peer="192.0.2.1")], [mail])
    _password, job = reset_password(
        acme, acme_mailbox.mailbox, by=SYSTEM, current_password=acme_mailbox.password
    )
    return job


@pytest.fixture
def change(acme, meanwhile):
    """The job's row, as a worker somewhere would leave it."""

    def write(**values):
        def alone():
            with tenant_context(acme):
                Job.objects.update(**values)

        meanwhile(alone)

    return write


@pytest.fixture
def work(acme, job, meanwhile):
    """A worker does all that there is to do."""

    def to_the_end():
        while work_slice(acme, job.pk):
            pass

    return lambda: meanwhile(to_the_end)


def test_who_watches_a_job_when_the_session_ends_is_led_to_the_sign_in_and_back(visit, cast, job):
    def story(visitor):
        page, path = visitor.page, visitor.url(f"/mailboxes/jobs/{job.pk}/", "acme")
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(path)
        page.wait_for_selector("#progress")
        visitor.context.clear_cookies()
        page.wait_for_selector("[name=login]")
        page.fill("[name=login]", cast.admin.email)
        page.fill("[name=password]", PASSWORD)
        page.press("[name=password]", "Enter")
        page.wait_for_selector("#progress")
        assert page.url == path
        assert (visitor.complaints, visitor.foreign) == ([], [])

    visit(story)


def test_who_stands_on_a_button_that_is_no_longer_needed_goes_on_beside_it(visit, cast, job, change):
    change(
        state="running",
        error="store-full",
        failures=3,
        paused_until=timezone.now() + timedelta(minutes=4),
    )

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url(f"/mailboxes/jobs/{job.pk}/", "acme"))
        visitor.tabs_to("#retry")
        change(error="", failures=0, paused_until=None, done=1)
        page.wait_for_selector("#retry", state="detached")
        page.wait_for_function("() => document.activeElement.id === 'progress'")
        change(done=2)
        visitor.sees("2 of 3 messages")
        page.wait_for_function("() => document.activeElement.id === 'progress'")
        assert (visitor.complaints, visitor.foreign) == ([], [])

    visit(story)


def test_who_stands_on_a_button_that_stays_keeps_standing_there(visit, cast, job, change):
    change(state="waiting-for-password", error="no-lock", done=1)

    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url(f"/mailboxes/jobs/{job.pk}/", "acme"))
        visitor.tabs_to("#retry")
        change(done=2)
        visitor.sees("2 of 3 messages")
        assert page.evaluate(FOCUS) == "retry"

    visit(story)


def test_who_stands_on_a_job_in_the_list_that_ends_stays_in_its_row(visit, cast, acme_mailbox, job, work):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/", "acme"))
        visitor.tabs_to(f"#job-{job.pk}")
        work()
        page.wait_for_selector(f"#job-{job.pk}", state="detached")
        page.wait_for_function("id => document.activeElement.id === id", arg=f"row-{acme_mailbox.mailbox.pk}")
        page.keyboard.press("Shift+Tab")
        assert page.evaluate(FOCUS).startswith("by-"), "the headings stand before it"
        page.keyboard.press("Tab")
        assert page.evaluate(FOCUS) == f"mailbox-{acme_mailbox.mailbox.pk}"

    visit(story)


def test_what_is_marked_in_the_list_stays_marked_while_nothing_is_new(visit, cast, acme_mailbox, job):
    def story(visitor):
        page = visitor.page
        visitor.signs_in(cast.admin.email, PASSWORD)
        page.goto(visitor.url("/mailboxes/", "acme"))
        page.evaluate("getSelection().selectAllChildren(document.querySelector('#mailboxes .mono'))")
        for _poll in range(2):
            with page.expect_response(lambda response: "seen=" in response.url) as asked:
                pass
            assert asked.value.status == 204
        return page.evaluate("getSelection().toString()")

    assert visit(story).strip() == acme_mailbox.address
