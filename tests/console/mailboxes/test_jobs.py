"""A job's page and what the other pages show of it: live while it runs, quiet when it is over."""

import base64
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from accounts.models import User
from accounts.services import create_person
from mailboxes import services
from mailboxes.models import Job, KeyLock, MailboxKey, Message, TallyChange
from mailboxes.services import sign_in_refusals
from mailboxes.vault import new_password
from mailboxes.work.slices import work_slice
from portal.languages.catalogs import ROOT
from tenants import answering
from tenants.models import WorkerAnswer
from tests.cast import Cast
from tests.conftest import OpenMailbox
from tests.console.kit import Page
from tests.pages import follows, presses, read

HTMX = {"HX-Request": "true"}


def poll(response: Any, every: str = "2s") -> str | None:
    found = re.search(rf'hx-get="([^"]+)"\s+hx-trigger="every {every}"', response.content.decode())
    return found and found[1].replace("&amp;", "&")


@pytest.fixture
def current(acme: Any, acme_mailbox: OpenMailbox, fill: Any, cast: Cast) -> str:
    """The password after a reset, whose re-encryption of three messages waits for a worker."""
    fill(b"one", b"two", b"three")
    password, _job = services.reset_password(
        acme, acme_mailbox.mailbox, by=cast.admin, current_password=acme_mailbox.password
    )
    return password.reveal()


@pytest.fixture
def url(current: str, jobs: Callable[[], list[Job]]) -> str:
    return f"/mailboxes/jobs/{jobs()[0].pk}/"


@pytest.fixture
def change(acme: Any) -> Callable[..., None]:
    """The job's row, as a worker somewhere would leave it."""

    def write(**values: Any) -> None:
        with tenant_context(acme):
            Job.objects.update(**values)

    return write


# --- Live ---
def test_the_page_says_what_is_done_for_whom_and_how_far_it_is(
    admin: Client, url: str, acme_mailbox: OpenMailbox, change: Callable[..., None]
) -> None:
    change(state="running", done=1, done_at_start=0, started_at=timezone.now() - timedelta(seconds=2))
    response = admin.get(url)
    page = Page(response)
    for words in (
        "Re-encryption",
        "Office 365 Journal",
        acme_mailbox.address,
        "admin@acme.example",
        "Running",
        "1 of 3 messages",
        "a second",
        "seconds left",
        "You can close this page",
    ):
        assert words in page.text
    assert re.search(
        r'<progress max="3"\s+value="1"\s+aria-label="Re-encryption">33%', response.content.decode()
    )
    assert page.links["Reload to see how it gets on"] == url
    assert page.links["Office 365 Journal"] == f"/mailboxes/{acme_mailbox.mailbox.pk}/"


def test_the_live_part_asks_for_itself_and_stops_when_the_job_is_done(
    admin: Client, url: str, change: Callable[..., None], work: Callable[[], None]
) -> None:
    again = poll(admin.get(url))
    assert again is not None
    assert again.startswith(url)
    assert admin.get(again, headers=HTMX).status_code == 204, "nothing new"
    change(state="running", done=1)
    response = admin.get(again, headers=HTMX)
    assert b"<html" not in response.content
    assert "1 of 3 messages" in Page(response).texts["progress"]
    again = poll(response)
    assert again is not None
    work()
    response = admin.get(again, headers=HTMX)
    assert "All waiting mail is sealed to the current key" in Page(response).texts["progress"]
    assert "Finished on" in Page(response).texts["progress"]
    assert poll(response) is None
    assert poll(admin.get(url)) is None


def test_a_screen_reader_hears_of_it_now_and_then(
    admin: Client, url: str, change: Callable[..., None]
) -> None:
    response = admin.get(url)
    assert re.search(
        r'id="progress-said"[^>]*role="status"[^>]*aria-live="polite"', response.content.decode()
    )
    again = poll(response)
    change(state="running", total=100, done=1)
    said = admin.get(again, headers=HTMX)
    assert "Re-encryption: Running, 1%" in Page(said).texts["progress-said"]
    change(done=20)
    silent = admin.get(poll(said), headers=HTMX)
    assert "progress-said" not in Page(silent).texts
    change(done=50)
    assert "50%" in Page(admin.get(poll(silent), headers=HTMX)).texts["progress-said"]


def test_whose_session_is_over_is_led_to_the_sign_in_as_a_whole_and_back_to_the_page(
    admin: Client, url: str
) -> None:
    again = poll(admin.get(url))
    admin.logout()
    response = admin.get(again, headers=HTMX)
    assert (response.status_code, response["HX-Refresh"], response.content) == (200, "true", b"")
    assert "HX-Request" in response["Vary"], "so that nobody who goes back is shown it in the page's place"
    assert admin.get(url)["Location"] == f"/accounts/login/?next={url}"


def test_going_back_in_the_browser_gives_the_whole_page(admin: Client, url: str) -> None:
    response = admin.get(url, headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert b"<html" in response.content
    assert "HX-Request" in response["Vary"]


def test_the_mailboxs_page_shows_it_while_it_runs(
    admin: Client, url: str, acme_mailbox: OpenMailbox, work: Callable[[], None]
) -> None:
    mailbox_url = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
    response = admin.get(mailbox_url)
    assert "0 of 3 messages" in Page(response).texts["progress"]
    assert (poll(response) or "").startswith(url)
    work()
    page = admin.get(mailbox_url)
    assert "progress" not in Page(page).texts
    assert Page(follows(page, "Jobs")).links["Re-encryption"] == url


def test_jobs_of_a_kind_are_told_apart_by_their_cause_and_name_who_asked(
    admin: Client, acme: Any, acme_mailbox: OpenMailbox, current: str, cast: Cast, fill: Any, work: Any
) -> None:
    work()
    fill(b"four")
    newer, _ = services.reset_password(acme, acme_mailbox.mailbox, by=cast.owner, locked_mail="keep")
    services.unlock(acme, acme_mailbox.mailbox, current, by=cast.owner)
    # This gives the same job more to do, but did not ask for it.
    services.reset_password(acme, acme_mailbox.mailbox, by=cast.admin, current_password=newer.reveal())
    work()
    User.objects.filter(pk=cast.admin.pk).update(email="moved@acme.example")
    create_person("admin@acme.example", name="Successor", by=SYSTEM)
    listed = admin.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/", {"tab": "jobs"})
    rows = [" ".join(row.text_content().split()) for row in read(listed).xpath("//tbody/tr")]
    assert [("after mail was unlocked" in row, "Owner" in row) for row in rows] == [
        (True, True),
        (False, False),
    ]
    assert [("after a reset" in row, "Admin" in row) for row in rows] == [(False, False), (True, True)]
    assert "Successor" not in Page(listed).text, "whoever has the address now asked for nothing"
    facts = Page(admin.get(read(listed).xpath("//tbody//a/@href")[0])).text
    assert "after mail was unlocked" in facts
    assert "Owner" in facts


def test_the_list_shows_a_bar_and_watches_while_a_job_runs(
    admin: Client, url: str, change: Callable[..., None], work: Callable[[], None]
) -> None:
    change(state="running", done=1)
    response = admin.get("/mailboxes/?q=mbx&sort=-name")
    links = Page(response).links
    assert links["Re-encryption"] == links["33%"] == url
    again = poll(response, "3s")
    assert again is not None
    assert admin.get(again, headers=HTMX).status_code == 204, "nothing new"
    work()
    response = admin.get(again, headers=HTMX)
    assert response.content.strip().startswith(b"<table")
    assert poll(response, "3s") is None
    page = Page(response)
    assert "Re-encryption" not in page.text
    assert page.links["Name"] == "?q=mbx&sort=name", "the headings lead to whole pages"


# What the template takes from a mailbox. Each has its news below, for a list that watches shows nothing else anew.
LISTED = {"pk", "name", "description", "refused", "damaged", "locked", "unfinished_job"}
LISTED |= {"waiting", "waiting_octets", "last_mail_at", "last_collection_at"}


def test_the_list_shows_all_that_is_new(
    admin: Client, url: str, acme: Any, acme_mailbox: OpenMailbox, change: Callable[..., None], fill: Any
) -> None:
    """Each of these by itself; nothing else has changed."""
    later = timezone.now() + timedelta(minutes=4)
    mailbox = acme_mailbox.mailbox

    def edited(name: str, description: str) -> None:
        services.edit_mailbox(acme, mailbox, by=SYSTEM, name=name, description=description)

    def counted(**values: Any) -> None:
        with tenant_context(acme):
            TallyChange.objects.create(mailbox=mailbox, **values)

    def found_missing() -> None:
        with tenant_context(acme):
            Message.objects.filter(pk=Message.objects.earliest("pk").pk).update(
                damaged_at=timezone.now(), damage="missing"
            )

    def nobody_has_the_password() -> None:
        with tenant_context(acme):
            MailboxKey.objects.filter(state="retired").update(state="locked")

    news = {
        "Re-encryption 66%": lambda: change(state="running", done=2),
        "Paused": lambda: change(failures=1, error="store-full", paused_until=later),
        "Needs attention": lambda: change(state="waiting-for-password", error="no-lock", paused_until=None),
        "15 bytes": lambda: fill(b"four"),
        "5.0 MB": lambda: counted(octets=5 * 2**20),
        " 100 ": lambda: counted(messages=96),
        " 2098 ": lambda: counted(mail_at=datetime(2098, 3, 4, tzinfo=UTC)),
        " 2099 ": lambda: counted(collection_at=datetime(2099, 3, 4, tzinfo=UTC)),
        "Sign-ins refused": lambda: sign_in_refusals.note(acme_mailbox.address, "192.0.2.0/24"),
        "1 can't be read": found_missing,
        "3 locked": nobody_has_the_password,
        "Another name": lambda: edited("Another name", ""),
        "All of head office": lambda: edited("Another name", "All of head office"),
        "Suspended": lambda: services.suspend_mailbox(acme, mailbox, by=SYSTEM),
        "A second one": lambda: services.create_mailbox(acme, by=SYSTEM, name="A second one"),
    }

    def told(response: Any) -> str:
        titles = re.findall(r'title="([^"]+)"', response.content.decode())
        return " ".join([Page(response).text, *titles])

    response = admin.get("/mailboxes/")
    for words, happens in news.items():
        assert words not in told(response)
        happens()
        response = admin.get(poll(response, "3s"), headers=HTMX)
        assert words in told(response)
    template = (ROOT / "portal/console/templates/mailboxes/list.html").read_text()
    drawn = {"spark"}  # of days, as of the last fold: nobody waits for its change
    assert set(re.findall(r"\bmailbox\.(\w+)", template)) == LISTED | drawn


def test_a_list_that_watches_leaves_messages_to_the_page_that_they_are_for(
    admin: Client, url: str, acme_mailbox: OpenMailbox, change: Callable[..., None]
) -> None:
    again = poll(admin.get("/mailboxes/"), "3s")
    mailbox_url = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
    saved = presses(admin.get(f"{mailbox_url}edit/"), "Save changes", name="Another name")
    assert admin.get(again, headers=HTMX).status_code == 200, "in another tab"
    assert "Your changes have been saved." in Page(admin.get(saved["Location"])).text


def test_a_list_without_jobs_rests(admin: Client, acme_mailbox: OpenMailbox) -> None:
    assert b"hx-get" not in admin.get("/mailboxes/").content


def test_when_the_last_mailbox_of_a_watched_list_is_gone_the_page_starts_anew(admin: Client) -> None:
    assert admin.get("/mailboxes/", headers=HTMX)["HX-Refresh"] == "true"


# --- In trouble ---
def test_a_job_that_waits_says_since_when_no_worker_has_answered(
    admin: Client, url: str, change: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "started_at", timezone.now() - timedelta(hours=4))
    assert "No worker has answered" not in Page(admin.get(url)).text
    answering.note_answer()
    assert "No worker has answered" not in Page(admin.get(url)).text
    heard = timezone.now() - timedelta(hours=3)
    WorkerAnswer.objects.update(at=heard)
    page = admin.get(url)
    assert "No worker has answered since " in Page(page).text
    assert f'datetime="{heard:%Y-%m-%dT%H:%M:%S}' in page.content.decode()
    change(state="waiting-for-password", error="no-lock")
    assert "No worker has answered" not in Page(admin.get(url)).text


def test_a_job_that_pauses_says_why_when_it_goes_on_and_can_be_tried_at_once(
    admin: Client,
    url: str,
    acme_mailbox: OpenMailbox,
    change: Callable[..., None],
    jobs: Any,
    work: Callable[[], None],
) -> None:
    mailbox_url = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
    later = timezone.now() + timedelta(minutes=4)
    change(state="running", failures=5, error="store-full", paused_until=later)
    page = Page(admin.get(url))
    for words in ("Paused", "The message store is full.", "Nothing is lost", f"{later:%H:%M:%S}", "Retry"):
        assert words in page.text
    assert "Running" not in page.text
    assert "password" not in page.inputs[url]
    for path in ("/mailboxes/", mailbox_url):
        text = Page(admin.get(path)).text
        assert "Paused" in text
        assert "Running" not in text
    work()
    assert jobs()[0].state != "done", "it still pauses"
    answer = presses(admin.get(url), "Retry")
    assert (answer.status_code, answer["Location"]) == (302, url)
    assert "The job was started again." in Page(admin.get(url)).text
    work()
    assert jobs()[0].state == "done"


def test_rate_and_time_left_are_those_since_the_last_pause(
    admin: Client,
    url: str,
    acme: Any,
    change: Callable[..., None],
    jobs: Any,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    monkeypatch.setattr("mailboxes.work.reencryption.BATCH", 1)
    settings.JOB_SLICE_SECONDS = 0
    [job] = jobs()
    work_slice(acme, job.pk)
    change(started_at=timezone.now() - timedelta(days=2))
    right = settings.WORKER_KEY
    settings.WORKER_KEY = base64.urlsafe_b64encode(bytes(32)).decode()
    work_slice(acme, job.pk)
    paused = Page(admin.get(url)).texts["progress"]
    assert "can't open what was locked for them" in paused
    assert "a second" not in paused
    settings.WORKER_KEY = right
    presses(admin.get(url), "Retry")
    for _message in range(2):
        work_slice(acme, job.pk)
    text = Page(admin.get(url)).texts["progress"]
    assert "3 of 3 messages" in text
    assert re.search(r"[1-9] a second", text)
    assert "about 1 second left" in text


def test_a_job_that_stands_nearly_still_promises_nothing(
    admin: Client, url: str, change: Callable[..., None]
) -> None:
    change(state="running", done=1, done_at_start=0, started_at=timezone.now() - timedelta(minutes=1))
    text = Page(admin.get(url)).texts["progress"]
    assert "1 of 3 messages" in text
    assert "a second" not in text
    assert "left" not in text


def test_a_job_whose_access_to_the_keys_has_expired_asks_for_the_password(
    admin: Client,
    url: str,
    acme: Any,
    acme_mailbox: OpenMailbox,
    current: str,
    collect: Any,
    jobs: Any,
    work: Callable[[], None],
) -> None:
    with tenant_context(acme):
        KeyLock.objects.filter(kind="worker").update(expires_at=timezone.now() - timedelta(seconds=1))
    work()
    assert jobs()[0].state == "waiting-for-password"
    page = Page(admin.get(url))
    assert "Waiting for the password" in page.text
    assert page.inputs[url]["password"]["type"] == "password"
    refusals = {
        "": "Type the mailbox's password, so that the job can go on.",
        current + "X": "This password was mistyped",
        new_password().reveal(): "but not the one of this mailbox",
    }
    for typed, refusal in refusals.items():
        answer = presses(admin.get(url), "Retry", password=typed)
        assert refusal in Page(answer).texts["id_password_error"]
        assert not typed or typed not in answer.content.decode()
        assert "no-store" in answer["Cache-Control"]
    assert "A wrong earlier password" not in Page(admin.get("/activity/")).text, (
        "the current one was asked for"
    )
    assert presses(admin.get(url), "Retry", password=current)["Location"] == url
    work()
    assert jobs()[0].state == "done"
    assert collect(current) == [b"one", b"two", b"three"]


def test_a_password_that_is_being_typed_survives_the_polling(
    admin: Client, url: str, change: Callable[..., None]
) -> None:
    change(state="waiting-for-password", error="no-lock", started_at=timezone.now(), done=1)
    again = poll(admin.get(url))
    assert admin.get(again, headers=HTMX).status_code == 204


def test_unreadable_messages_fail_the_job_which_says_so_and_goes_on_once_they_are_restored(
    admin: Client,
    url: str,
    acme: Any,
    acme_mailbox: OpenMailbox,
    current: str,
    collect: Any,
    jobs: Any,
    work: Callable[[], None],
    settings: Any,
) -> None:
    blob = next(path for path in settings.STORE_ROOT.rglob("*") if path.is_file())
    kept = blob.read_bytes()
    blob.unlink()
    work()
    assert jobs()[0].state == "failed"
    page = Page(admin.get(url))
    assert "1 message can't be read: its file is missing or was altered." in page.texts["progress"]
    assert "check_store" in page.texts["progress"]
    assert "Failed on" in page.texts["progress"]
    assert "Finished on" not in page.texts["progress"]
    answer = admin.post(url, {"password": current})
    work()
    assert jobs()[0].state == "failed", "nothing is better yet"
    page = Page(admin.get(answer["Location"]))
    assert "The job was started again." in page.text
    assert "The job goes on" not in page.text
    assert "Retry" in page.text
    mailbox_page = Page(admin.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/"))
    assert mailbox_page.text.count("1 message can't be read: its file is missing or was altered.") == 1
    assert "Ask the platform's staff to run “manage.py check_store”" in mailbox_page.texts["progress"]
    with tenant_context(acme):
        another = Message.objects.filter(damaged_at=None)[:1].get()
        Message.objects.filter(pk=another.pk).update(damaged_at=timezone.now(), damage="missing")
    mailbox_page = Page(admin.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/"))
    assert "2 messages can't be read" in mailbox_page.text, "of the second one the job knows nothing"
    with tenant_context(acme):
        Message.objects.filter(pk=another.pk).update(damaged_at=None, damage="")
    blob.write_bytes(kept)
    assert admin.post(url, {"password": current}).status_code == 302
    work()
    assert [job.state for job in jobs()][-1] == "done"
    assert collect(current) == [b"one", b"two", b"three"]


def test_a_job_that_is_done_can_not_be_tried_again(admin: Client, url: str, work: Callable[[], None]) -> None:
    work()
    assert url not in Page(admin.get(url)).inputs
    assert admin.post(url)["Location"] == url
    assert "This job can't be tried again." in Page(admin.get(url)).text


# --- Who may ---
def test_a_viewer_watches_but_does_not_touch(
    cast: Cast, client_for: Callable[..., Client], url: str, change: Callable[..., None], current: str
) -> None:
    change(state="failed", error="unforeseen")
    for person in (cast.viewer, cast.auditor):
        client = client_for(person)
        page = Page(client.get(url))
        assert "Ask an administrator" in page.text
        assert url not in page.inputs
        assert client.post(url, {"password": current}).status_code == 403


def test_others_find_no_job(
    cast: Cast, client_for: Callable[..., Client], url: str, admin: Client, current: str
) -> None:
    assert client_for(cast.mallory).get(url).status_code == 404
    assert client_for(cast.mallory, "globex").get(url).status_code == 404
    assert client_for(cast.mallory, "globex").post(url, {"password": current}).status_code == 404
    assert admin.get(f"/mailboxes/jobs/{uuid4()}/").status_code == 404
