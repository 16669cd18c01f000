"""Name, description, and whether a mailbox takes mail."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from mailboxes import errors
from mailboxes.models import Mailbox
from portal.console.mailboxes.forms import MailboxForm
from tenants.activity.words import LABELS
from tenants.models import AuditEvent
from tests.conftest import OpenMailbox
from tests.console.kit import Page
from tests.pages import presses, shown

Mailboxes = Callable[[], list[Mailbox]]


@pytest.fixture
def url(acme_mailbox: OpenMailbox) -> str:
    return f"/mailboxes/{acme_mailbox.mailbox.pk}/"


@pytest.fixture
def edit(admin: Client, url: str) -> Callable[..., Any]:
    """Opens the form, changes what is named, saves."""

    def change(**fields: str) -> Any:
        return presses(admin.get(f"{url}edit/"), "Save changes", **fields)

    return change


def test_the_form_shows_how_things_are(admin: Client, make_mailbox: Any) -> None:
    made = make_mailbox("Journal", description="All of head office")
    url = f"/mailboxes/{made.mailbox.pk}/edit/"
    page = Page(admin.get(url))
    sent = page.sent_by(url)
    assert (sent["name"], sent["description"], sent["status"]) == ("Journal", "All of head office", "active")
    assert page.choices["status"] == ["active", "suspended"]


def test_name_and_description_are_changed_and_the_trail_knows_from_what(
    edit: Callable[..., Any], url: str, mailboxes: Mailboxes
) -> None:
    answer = edit(name="Journal 2", description="Branch office")
    assert (answer.status_code, answer["Location"]) == (302, url)
    [mailbox] = mailboxes()
    assert (mailbox.name, mailbox.description, mailbox.status) == ("Journal 2", "Branch office", "active")
    event = AuditEvent.objects.get(action="mailbox.edited")
    assert event.actor_email == "admin@acme.example"
    assert event.data["before"] == {"name": "Office 365 Journal", "description": ""}
    assert event.data["after"] == {"name": "Journal 2", "description": "Branch office"}


def test_whatever_is_said_of_a_mailbox_is_asked_by_the_form_and_told_by_its_label() -> None:
    said = {"name", *Mailbox.DETAILS}
    asked: dict[str, Any] = dict(MailboxForm.base_fields)
    assert set(asked) == said
    lengths = {name: Mailbox._meta.get_field(name).max_length for name in said}
    assert {name: field.max_length for name, field in asked.items()} == lengths
    assert said - LABELS.keys() == set()
    assert {name: refusal.field for name, refusal in Mailbox.DETAILS.items()} == {
        n: n for n in Mailbox.DETAILS
    }


def test_the_form_says_what_a_suspension_costs_before_anybody_suspends(admin: Client, url: str) -> None:
    text = Page(admin.get(f"{url}edit/")).text
    for words in (
        "Exchange Online gives up after about a day",
        "never gets here",
        "Collection by POP3 goes on",
        "counts only for a suspended mailbox",
    ):
        assert words in text


def test_a_suspended_mailbox_says_since_when_by_whom_and_why_and_what_it_keeps_away(
    edit: Callable[..., Any], admin: Client, url: str, fill: Callable[..., None]
) -> None:
    edit(status="suspended", reason="Archiver is moving house")
    for _attempt in range(2):
        with pytest.raises(errors.MailboxSuspended):
            fill(b"Subject: one\r\n\r\n")
    page = Page(admin.get(url))
    for words in (
        "“Office 365 Journal” is suspended: new mail is put off from now on.",
        "This mailbox is suspended: it takes no mail.",
        "admin@acme.example",
        "Archiver is moving house",
        "2 attempts to deliver have been put off",
        "Exchange Online gives up after about a day",
    ):
        assert words in page.text
    assert "Senders have begun to give up" not in page.text
    assert "Suspended" in Page(admin.get("/mailboxes/")).text


def test_after_half_a_day_the_page_is_louder(
    edit: Callable[..., Any], admin: Client, url: str, acme: Any
) -> None:
    edit(status="suspended")
    for hours, loud in ((11.9, False), (12.1, True)):
        with tenant_context(acme):
            Mailbox.objects.update(suspended_at=timezone.now() - timedelta(hours=hours))
        response = admin.get(url)
        assert ("Senders have begun to give up" in Page(response).text) is loud
        assert (b"notice error" in response.content) is loud


def test_what_waits_in_a_suspended_mailbox_can_be_collected(
    edit: Callable[..., Any], fill: Any, collect: Any, acme_mailbox: OpenMailbox
) -> None:
    fill(b"Subject: one\r\n\r\n")
    edit(status="suspended")
    assert collect(acme_mailbox.password) == [b"Subject: one\r\n\r\n"]


def test_an_activated_mailbox_takes_mail_again_and_forgets_the_reason(
    edit: Callable[..., Any], admin: Client, url: str, fill: Any, mailboxes: Mailboxes
) -> None:
    edit(status="suspended", reason="For a while")
    edit(status="active")
    fill(b"Subject: one\r\n\r\n")
    assert "is active again and takes mail." in Page(admin.get(url)).text
    assert mailboxes()[0].suspension_reason == ""


@pytest.mark.parametrize(
    ("typed", "beside", "refusal"),
    [
        ({"name": "the OTHER one"}, "name", "There is already a mailbox named “the OTHER one”."),
        ({"name": " "}, "name", ""),
        ({"name": "x" * 101}, "name", ""),
        ({"name": "two\nlines"}, "name", "Type a name of 1 to 100 characters"),
        ({"description": "two\nlines"}, "description", "The description may have up to 500 characters"),
        ({"status": "suspended", "reason": "two\nlines"}, "reason", "The reason may have up to 500"),
    ],
)
def test_what_can_not_be_saved_is_refused_beside_its_field_and_nothing_changes(
    edit: Callable[..., Any],
    url: str,
    mailboxes: Mailboxes,
    make_mailbox: Any,
    typed: dict[str, str],
    beside: str,
    refusal: str,
) -> None:
    make_mailbox("The other one")
    answer = edit(**{"description": "kept", **typed})
    assert answer.status_code == 200
    page = Page(answer)
    assert refusal in page.text
    assert "aria-invalid" in page.inputs[f"{url}edit/"][beside]
    assert page.sent_by(f"{url}edit/")["description"] == typed.get("description", "kept")
    untouched = mailboxes()[0]
    assert (untouched.name, untouched.description, untouched.status) == ("Office 365 Journal", "", "active")


@pytest.mark.parametrize("status", ["deleting", "retired", ""])
def test_a_status_that_nobody_may_set_is_refused(
    admin: Client, url: str, mailboxes: Mailboxes, status: str
) -> None:
    answer = admin.post(f"{url}edit/", {"name": "Office 365 Journal", "status": status})  # past the form
    assert answer.status_code == 200
    assert "id_status_error" in Page(answer).texts
    assert mailboxes()[0].status == "active"


@pytest.mark.parametrize("status", ["deleting", "retired", ""])
def test_a_link_with_a_status_that_nobody_may_set_chooses_none(admin: Client, url: str, status: str) -> None:
    assert shown(admin.get(f"{url}edit/?status={status}"), "Save changes")["status"] == "active"


def test_its_own_name_in_other_letters_is_free(edit: Callable[..., Any], mailboxes: Mailboxes) -> None:
    assert edit(name="OFFICE 365 Journal").status_code == 302
    assert mailboxes()[0].name == "OFFICE 365 Journal"


def test_a_mailbox_in_deletion_can_not_be_edited(
    admin: Client, acme: Any, url: str, mailboxes: Mailboxes
) -> None:
    with tenant_context(acme):
        Mailbox.objects.update(status=Mailbox.Status.DELETING)
    for answer in (
        admin.get(f"{url}edit/"),
        admin.post(f"{url}edit/", {"name": "Another", "status": "active"}),
    ):
        assert (answer.status_code, answer["Location"]) == (302, url)
    assert "This mailbox is being deleted." in Page(admin.get(url)).text
    assert mailboxes()[0].name == "Office 365 Journal"


def test_text_of_users_is_never_markup(edit: Callable[..., Any], admin: Client, url: str) -> None:
    edit(name="<i>name</i>", status="suspended", reason="<script>alert(1)</script>")
    for page in (url, f"{url}edit/", f"{url}reset-password/", f"{url}delete/"):
        content = admin.get(page).content
        assert b"<i>name" not in content
        assert b"<script>alert" not in content
