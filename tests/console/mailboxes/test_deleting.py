"""Deleting a mailbox, and the certificate that stays."""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.models import Job, Mailbox
from tenants import audit
from tenants.models import AuditEvent, Customer
from tests.cast import Cast
from tests.conftest import OpenMailbox
from tests.console.kit import Page
from tests.pages import follows, presses, read, shown, text_of

Jobs = Callable[[], list[Job]]
NAME = "Office 365 Journal"


def deletes(client: Client, url: str, name: str = NAME) -> Any:
    """Types the name and presses the button."""
    return presses(client.get(f"{url}delete/"), "Delete for good", confirmed_name=name)


@pytest.fixture
def url(acme_mailbox: OpenMailbox) -> str:
    return f"/mailboxes/{acme_mailbox.mailbox.pk}/"


@pytest.fixture
def suspended(acme: Any, acme_mailbox: OpenMailbox, fill: Any) -> None:
    """A suspended mailbox with two messages, one of them locked."""
    fill(b"x" * 3000)
    services.reset_password(acme, acme_mailbox.mailbox, by=SYSTEM, locked_mail="keep")
    fill(b"y" * 1000)
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)


@pytest.fixture
def deleted(suspended: None, admin: Client, url: str, work: Any) -> str:
    """The certificate's page of a mailbox that is gone."""
    deletes(admin, url)
    work()
    return f"/mailboxes/deleted/{url.split('/')[2]}/"


def test_an_active_mailbox_is_to_be_suspended_first(
    admin: Client, url: str, fill: Any, mailboxes: Callable[[], list[Mailbox]]
) -> None:
    asked = admin.get(f"{url}delete/")
    assert f"{url}delete/" not in Page(asked).inputs
    assert "no mail has come in yet" in Page(asked).text
    assert "still sends to it" not in Page(asked).text
    form = follows(asked, "Suspend it…")
    assert shown(form, "Save changes")["status"] == "suspended"
    assert [mailbox.status for mailbox in mailboxes()] == ["active"], "looking suspends nothing"
    refused = Page(admin.post(f"{url}delete/", {"confirmed_name": NAME}))
    assert "“Office 365 Journal” is still active. Suspend it, then delete it." in refused.text
    fill(b"x")
    assert "its mail system still sends to it" in Page(admin.get(f"{url}delete/")).text
    presses(form, "Save changes")
    assert [mailbox.status for mailbox in mailboxes()] == ["suspended"]


@pytest.mark.usefixtures("suspended")
def test_the_page_says_what_is_lost(admin: Client, url: str, acme_mailbox: OpenMailbox) -> None:
    response = admin.get(f"{url}delete/")
    assert "</time>." in response.content.decode()  # no space before the full stop
    page = Page(response)
    for words in (
        "2 messages are lost (3.9 KB).",
        f"The oldest came in on {timezone.now():%-d %b %Y}",
        "1 message among them is locked",
        "all keys of this mailbox are destroyed at once",
        "nobody can bring its mail back",
        acme_mailbox.address,
        "is never given out again",
        "backups, are not covered",
        NAME,
    ):
        assert words in page.text
    assert page.sent_by(f"{url}delete/")["confirmed_name"] == "", "the name is to be typed by hand"


@pytest.mark.usefixtures("suspended")
@pytest.mark.parametrize("typed", ["", "office 365 journal", "Office 365", "mbx"])
def test_another_name_deletes_nothing(
    admin: Client, url: str, typed: str, jobs: Jobs, mailboxes: Callable[[], list[Mailbox]]
) -> None:
    page = Page(deletes(admin, url, typed))
    assert "Type the mailbox's name exactly as it is shown" in page.texts["id_confirmed_name_error"]
    assert page.inputs[f"{url}delete/"]["confirmed_name"].keys() >= {"aria-invalid", "autofocus"}
    assert jobs() == []
    assert [mailbox.status for mailbox in mailboxes()] == ["suspended"]


def test_a_name_is_typed_as_it_is_seen_whatever_is_invisible_in_it(
    admin: Client, acme: Any, make_mailbox: Any, jobs: Jobs
) -> None:
    made = make_mailbox("صندوق \N{FIRST STRONG ISOLATE}Zug\N{POP DIRECTIONAL ISOLATE}")
    services.suspend_mailbox(acme, made.mailbox, by=SYSTEM)
    answer = deletes(admin, f"/mailboxes/{made.mailbox.pk}/", "صندوق\N{NO-BREAK SPACE}Zug")
    assert answer.status_code == 302
    assert [job.kind for job in jobs()] == ["deletion"]


def test_the_deletion_of_an_empty_mailbox_counts_no_mail(
    admin: Client, acme: Any, acme_mailbox: OpenMailbox, url: str, work: Any
) -> None:
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    answer = deletes(admin, url)
    begun = Page(admin.get(answer["Location"]))
    assert f"Deletion of the mailbox: “{NAME}”" in begun.text
    work()
    done = Page(admin.get(answer["Location"]))
    for page in (begun, done):
        assert "No mail waited in the mailbox." in page.texts["progress"]
        assert "0 of 0" not in page.text
    assert "The mailbox is deleted." in done.texts["progress"]


@pytest.mark.usefixtures("suspended")
def test_from_ok_on_nobody_reads_it_and_the_job_frees_the_storage(
    admin: Client,
    url: str,
    acme_mailbox: OpenMailbox,
    collect: Any,
    fill: Any,
    jobs: Jobs,
    work: Any,
    mailboxes: Callable[[], list[Mailbox]],
    settings: Any,
) -> None:
    answer = deletes(admin, url)
    [job] = jobs()
    assert (answer.status_code, answer["Location"]) == (302, f"/mailboxes/jobs/{job.pk}/")
    with pytest.raises(errors.BadCredentials):
        collect(acme_mailbox.password)
    with pytest.raises(errors.MailboxDeleting):
        fill(b"late")
    meanwhile = Page(admin.get(url))
    assert "This mailbox is being deleted." in meanwhile.text
    assert "Send mail here" not in meanwhile.text
    assert not {"Edit", "Reset password", "Delete"} & meanwhile.links.keys()
    assert "0 of 2 messages" in meanwhile.texts["progress"]
    work()
    assert mailboxes() == []
    assert [path for path in settings.STORE_ROOT.rglob("*") if path.is_file()] == []
    done = Page(admin.get(answer["Location"]))
    assert "The mailbox and its mail are deleted" in done.text
    assert NAME in done.text
    assert done.links["Show the deletion certificate"] == f"/mailboxes/deleted/{url.split('/')[2]}/"
    assert admin.get(url)["Location"] == f"/mailboxes/deleted/{url.split('/')[2]}/", (
        "links to a mailbox outlive it"
    )


@pytest.mark.usefixtures("suspended")
def test_a_second_press_of_the_button_leads_to_the_same_job_or_to_the_certificate(
    admin: Client, url: str, jobs: Jobs, work: Any
) -> None:
    page = admin.get(f"{url}delete/")
    first, second = (presses(page, "Delete for good", confirmed_name=NAME) for _press in range(2))
    assert second["Location"] == first["Location"]
    assert "This mailbox is being deleted." in Page(admin.get(second["Location"])).text
    assert len(jobs()) == 1
    work()
    third = presses(page, "Delete for good", confirmed_name=NAME)
    assert third["Location"] == f"/mailboxes/deleted/{url.split('/')[2]}/"


# --- What remains ---
def test_nothing_deleted_yet(admin: Client) -> None:
    assert Page(admin.get("/mailboxes/")).links["Deleted mailboxes"] == "/mailboxes/deleted/"
    assert "No mailbox has been deleted" in Page(admin.get("/mailboxes/deleted/")).text


def test_the_deleted_are_listed_and_found(admin: Client, deleted: str, acme_mailbox: OpenMailbox) -> None:
    page = Page(admin.get("/mailboxes/deleted/"))
    for words in (NAME, acme_mailbox.address, "admin@acme.example", "just now"):
        assert words in page.text
    assert page.links[f": {NAME}"] == deleted
    for query in (
        "q=OFFICE",
        f"q={acme_mailbox.address}",
        "sort=name",
        "sort=-octets",
        "sort=nonsense",
        "page=9",
    ):
        assert acme_mailbox.address in Page(admin.get(f"/mailboxes/deleted/?{query}")).text
    listed = admin.get("/mailboxes/deleted/", {"q": "ADMIN office", "sort": "-requested_by"})
    (who,) = read(listed).xpath("//main//bdi[@class='who']")
    assert (text_of(who), who.get("title")) == ("Admin", "admin@acme.example")
    assert "admin@acme.example" in Page(admin.get(deleted)).text, "the certificate keeps the address"
    in_fours = r"Fingerprints of the destroyed keys ([\da-f]{4} ){7}[\da-f]{4}\b"
    assert re.search(in_fours, text_of(read(admin.get("/activity/")))), "as on the certificate"
    nothing = admin.get("/mailboxes/deleted/", {"q": "<b>Zug"})
    assert "No deleted mailbox matches “<b>Zug”" in Page(nothing).text
    assert b"<b>Zug" not in nothing.content


def test_what_was_deleted_on_the_command_line_is_told_in_the_words_of_the_activity(
    admin: Client, suspended: None, acme: Customer, acme_mailbox: OpenMailbox, work: Any, url: str
) -> None:
    services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
    work()
    for path in ("", f"{url.split('/')[2]}/"):
        assert "Platform staff, on the command line" in Page(admin.get(f"/mailboxes/deleted/{path}")).text


RUINS: dict[str, Callable[[Any], Any]] = {
    "no certificate": lambda data: {},
    "no object": lambda data: ["certificate"],
    "half of one": lambda data: {"certificate": {"messages": 1}},
    "sizes in words": lambda data: data | {"certificate": data["certificate"] | {"octets": "none"}},
    "sizes beyond all": lambda data: data | {"certificate": data["certificate"] | {"octets": 10**400}},
    "times that are none": lambda data: (
        data | {"certificate": data["certificate"] | {"finished_at": "2026-13-32T25:61:61Z"}}
    ),
    "times before all clocks": lambda data: (
        data | {"certificate": data["certificate"] | {"requested_at": "0001-01-01T00:00:00Z"}}
    ),
}


@pytest.mark.parametrize("ruin", RUINS)
def test_a_certificate_that_is_ruined_in_the_database_is_told_of_and_takes_no_list_down(
    admin: Client, deleted: str, acme: Customer, ruin: str, caplog: pytest.LogCaptureFixture
) -> None:
    whole = AuditEvent.objects.of("mailbox.deleted").get()
    pk = str(uuid4())
    with connection.cursor() as cursor:  # as of before the database took no such line
        cursor.execute("ALTER TABLE tenants_auditevent DROP CONSTRAINT audit_event_can_be_read")
    audit.record(
        "mailbox.deleted",
        customer=acme,
        target=("mailbox", pk, "Ruined"),
        data=RUINS[ruin](whole.data),
        by=SYSTEM,
    )
    for sort in ("name", "-octets", "messages", "-finished_at"):
        page = Page(admin.get("/mailboxes/deleted/", {"sort": sort}))
        assert page.links[f": {NAME}"] == deleted
        assert page.links[": Ruined"] == f"/mailboxes/deleted/{pk}/"
        assert page.text.count("Can't be read") == 1
    assert "can't be read event=" in caplog.text
    told = Page(admin.get(f"/mailboxes/deleted/{pk}/")).text
    assert "The deletion certificate of “Ruined” can't be read" in told
    assert admin.get(f"/mailboxes/deleted/{pk}/certificate.json").status_code == 404
    assert admin.get("/activity/").status_code == 200


def test_a_certificate_that_was_altered_is_marked_in_the_list_too(
    admin: Client, deleted: str, acme: Customer
) -> None:
    data = AuditEvent.objects.of("mailbox.deleted").get().data
    data["certificate"] |= {"messages": 0}
    audit.record("mailbox.deleted", customer=acme, target=("mailbox", "none", "X"), data=data, by=SYSTEM)
    page = Page(admin.get("/mailboxes/deleted/"))
    assert page.text.count("Signature not valid") == 1
    assert page.links[f": {NAME}"] == deleted


def test_the_certificate_states_everything_and_can_be_printed(
    admin: Client, deleted: str, acme_mailbox: OpenMailbox
) -> None:
    response = admin.get(deleted)
    page = Page(response)
    for words in (
        "Northwind IT",
        "Acme",
        NAME,
        acme_mailbox.address,
        str(acme_mailbox.mailbox.pk),
        "admin@acme.example",
        "2 messages, 3.9 KB (4,000 bytes)",
        "What this certificate does not cover",
        "Backups of the database",
    ):
        assert words in page.text
    assert "was altered" not in page.text
    assert b"data-print" in response.content


def test_the_certificate_as_json_is_the_one_that_is_verified(
    admin: Client, deleted: str, acme_mailbox: OpenMailbox
) -> None:
    link = Page(admin.get(deleted)).links["Download as JSON"]
    response = admin.get(link)
    assert response["Content-Type"] == "application/json"
    assert response["Content-Disposition"].startswith("attachment; filename=")
    assert json.loads(response.content)["certificate"]["mailbox"]["address"] == acme_mailbox.address
    assert services.verify_certificate(response.content.decode()).valid
    shown = Page(admin.get(deleted)).text
    for key in json.loads(response.content)["certificate"]["keys"]:
        assert " ".join(re.findall("....", key)) in shown, "in groups, as people compare it"


def test_the_certificate_says_to_the_second_when_it_was_issued_and_how_to_verify_it(
    admin: Client, deleted: str
) -> None:
    page = Page(admin.get(deleted))
    assert re.search(r"Issued on \d{1,2} \w{3} \d{4} \d{2}:\d{2}:\d{2} UTC", page.text)
    assert re.search(r"Storage free \d{1,2} \w{3} \d{4} \d{2}:\d{2}:\d{2} UTC", page.text)
    assert "manage.py verify_certificate FILE --public-key KEY" in page.text
    response = admin.get(page.links["Download as JSON"])
    public_key = json.loads(response.content)["public_key"]
    assert public_key in page.text
    assert services.verify_certificate(response.content.decode(), public_key).valid


def test_a_viewer_sees_certificates_and_other_customers_do_not(
    deleted: str, cast: Cast, client_for: Callable[..., Client], admin: Client
) -> None:
    for path in ("/mailboxes/deleted/", deleted, f"{deleted}certificate.json"):
        assert client_for(cast.viewer).get(path).status_code == 200
        assert client_for(cast.mallory).get(path).status_code == 404
    for path in (deleted, f"{deleted}certificate.json"):
        assert client_for(cast.mallory, "globex").get(path).status_code == 404
    assert NAME not in Page(client_for(cast.mallory, "globex").get("/mailboxes/deleted/")).text
    assert admin.get(f"/mailboxes/deleted/{uuid4()}/").status_code == 404
