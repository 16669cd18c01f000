"""A mailbox's page: its facts, what comes and goes, and the guide with the real values."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
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
from mailboxes.models import Mailbox, TallyChange
from mailboxes.services import delivery
from tests.cast import Cast
from tests.console.kit import Page
from tests.pages import follows, read, text_of

HTMX = {"HX-Request": "true"}


def poll(response: Any) -> str | None:
    found = re.search(r'hx-get="([^"]+)" hx-trigger="every 3s"', response.content.decode())
    return found and found[1]


def test_the_page_holds_the_address_and_the_guide_with_real_values(admin: Client, acme_mailbox: Any) -> None:
    page = Page(admin.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/?tab=setup"))
    address = acme_mailbox.address
    values = {
        "address": address,
        "m365-address": address,
        "m365-host": "gateway.localhost",
        "google-recipient": address,
        "google-port": "25",
        "archiver-host": "gateway.localhost",
        "archiver-port": "995",
        "archiver-stls-port": "110",
        "archiver-user": address,
        "postfix-transport": "gateway.localhost    smtp:[gateway.localhost]:25",
        "exchange-database": f'Get-MailboxDatabase | Set-MailboxDatabase -JournalRecipient "{address}"',
    }
    assert {key: page.texts[key] for key in values} == values
    assert f"always_bcc = {address}" in page.texts["postfix-main"]
    assert "{[gateway.localhost]:25 = encrypt}" in page.texts["postfix-main"]
    assert f"{{@example.com = {address}}}" in page.texts["postfix-domain"]
    assert '-SmartHosts "gateway.localhost" -Port 25 ' in page.texts["exchange-connector"]
    assert "delivers to port 25 only" not in page.text, "which is the port"


def test_another_port_than_25_needs_forwarding(admin: Client, acme_mailbox: Any, settings: Any) -> None:
    settings.PUBLIC_SMTP_PORT = 2525
    page = Page(admin.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/?tab=setup"))
    assert "Microsoft 365 delivers to port 25 only, and this gateway listens on port 2525." in page.text


def test_every_copy_button_has_something_to_copy(admin: Client, acme_mailbox: Any) -> None:
    response = admin.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/?tab=setup")
    targets = re.findall(r'data-copy="#([^"]+)"', response.content.decode())
    assert len(targets) == len(set(targets)) > 10
    assert set(targets) <= set(Page(response).texts)


def test_the_first_mail_and_the_first_collection_show_live_and_then_the_page_rests(
    admin: Client, acme: Any, acme_mailbox: Any
) -> None:
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
    response = admin.get(url)
    assert "No mail received yet" in Page(response).texts["activity"]
    assert "This shows by itself" in Page(response).texts["activity"]
    again = poll(response)
    assert again is not None
    assert admin.get(again, headers=HTMX).status_code == 204  # nothing new

    delivery.deliver(
        [delivery.resolve(acme_mailbox.address, peer="192.0.2.1")],
        [b"Subject: one\r\n\r\n"],
        trace=lambda _: b"",
    )
    response = admin.get(again, headers=HTMX)
    assert response.content.strip().startswith(b"<section")
    assert "First mail received" in Page(response).texts["activity"]
    assert "1 message" in Page(response).texts["activity"]
    assert "This shows by itself" not in Page(response).texts["activity"]
    again = poll(response)
    assert again is not None

    with tenant_context(acme):
        TallyChange.objects.create(mailbox_id=acme_mailbox.mailbox.pk, collection_at=timezone.now())
    response = admin.get(again, headers=HTMX)
    assert "First collection done" in Page(response).texts["activity"]
    assert poll(response) is None


def test_who_sets_a_mailbox_up_sees_the_first_mail_beside_the_guide(admin: Client, acme_mailbox: Any) -> None:
    overview = admin.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/")
    again = poll(follows(overview, "Set-up"))
    assert again is not None
    again = again.replace("&amp;", "&")
    assert admin.get(again, headers=HTMX).status_code == 204, "nothing new"
    delivery.deliver(
        [delivery.resolve(acme_mailbox.address, peer="192.0.2.1")],
        [b"Subject: one\r\n\r\n"],
        trace=lambda _: b"",
    )
    told = Page(admin.get(again, headers=HTMX)).texts["activity"]
    assert "First mail received" in told
    assert "This shows by itself" not in told
    assert "Waiting" not in told, "the figures stand on the other tab"


@pytest.mark.parametrize("tab", ["jobs", "keys", ""])
def test_a_tab_that_is_not_there_is_the_overview(admin: Client, acme_mailbox: Any, tab: str) -> None:
    page = admin.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/", {"tab": tab})
    (current,) = read(page).xpath("//nav[@class='tabs no-print']/a[@aria-current='page']")
    assert text_of(current) == "Overview"
    assert "Last mail in" in Page(page).texts["activity"]


def test_a_page_that_watches_a_mailbox_till_it_is_gone_leads_to_the_certificate_and_says_so_once(
    admin: Client, acme: Any, acme_mailbox: Any, work: Any
) -> None:
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
    again = poll(admin.get(url))
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
    work()
    assert admin.get(again, headers=HTMX)["HX-Refresh"] == "true"
    page = Page(admin.get(url, follow=True))
    assert "Deletion certificate" in page.text
    assert page.text.count("This mailbox has been deleted.") == 1


def test_going_back_in_the_browser_gives_the_whole_page(admin: Client, acme_mailbox: Any) -> None:
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
    response = admin.get(url, headers={**HTMX, "HX-History-Restore-Request": "true"})
    assert b"<html" in response.content
    assert "HX-Request" in response["Vary"]


def test_a_mailbox_in_deletion_is_not_watched(admin: Client, acme: Any, acme_mailbox: Any) -> None:
    with tenant_context(acme):
        Mailbox.objects.update(status=Mailbox.Status.DELETING)
    response = admin.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/")
    assert "Being deleted" in Page(response).text
    assert poll(response) is None


def test_a_viewer_sees_it_and_others_get_404(
    cast: Cast, acme_mailbox: Any, client_for: Callable[..., Client], admin: Client
) -> None:
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
    assert client_for(cast.viewer).get(url).status_code == 200
    assert client_for(cast.mallory).get(url).status_code == 404
    assert client_for(cast.mallory, "globex").get(url).status_code == 404
    assert admin.get(f"/mailboxes/{uuid4()}/").status_code == 404


def test_text_of_users_is_never_markup(admin: Client, make_mailbox: Any) -> None:
    made = make_mailbox("<i>name</i>", description="<script>alert(1)</script>")
    for url in ("/mailboxes/", f"/mailboxes/{made.mailbox.pk}/"):
        content = admin.get(url).content
        assert b"<i>name" not in content
        assert b"<script>alert" not in content


def test_what_has_not_come_yet_leads_to_how_it_is_set_up(cast, client_for, acme_mailbox):
    page = client_for(cast.admin).get(f"/mailboxes/{acme_mailbox.mailbox.pk}/").content.decode()
    assert '<a href="?tab=setup#send">Set up your mail system</a>' in page
    assert '<a href="?tab=setup#collect">Set up your archiver</a>' in page


def test_who_made_and_who_suspended_a_mailbox_is_named_with_the_address_behind(
    admin: Client, acme: Any, make_mailbox: Any, cast: Cast
) -> None:
    by_hand = make_mailbox("By hand").mailbox
    made = make_mailbox("Made", by=cast.owner).mailbox
    for mailbox, by in ((by_hand, SYSTEM), (made, cast.owner)):
        services.suspend_mailbox(acme, mailbox, by=by)
    address = cast.owner.email
    User.objects.filter(pk=cast.owner.pk).update(name="Olga Petrowa", email="moved@northwind.example")
    create_person(address, name="Successor", by=SYSTEM)
    page = read(admin.get(f"/mailboxes/{made.pk}/"))
    named = page.xpath("//main//bdi[@class='who']")
    assert [(text_of(one), one.get("title")) for one in named] == [("Olga Petrowa", address)] * 2
    assert "by Olga Petrowa." in text_of(page)
    text = Page(admin.get(f"/mailboxes/{by_hand.pk}/")).text
    assert "by the platform's staff, on the command line." in text
    assert "Platform staff, on the command line" in text


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        ("restored", "So kam es aus der Sicherung vom 29.11.2026 04:30 CET zurück"),
        ("imported", "So kam es aus dem Export einer anderen Installation vom 29.11.2026 04:30 CET"),
    ],
)
def test_one_that_came_from_a_backup_says_so_in_the_readers_language_and_zone_until_it_is_activated(
    cause: str, says: str, admin: Client, acme: Any, acme_mailbox: Any, cast: Cast
) -> None:
    taken = datetime(2026, 11, 29, 3, 30, tzinfo=UTC)
    with tenant_context(acme):
        Mailbox.objects.update(status="suspended", suspension_cause=cause, suspension_backup_at=taken)
    User.objects.filter(pk=cast.admin.pk).update(language="de", time_zone="Europe/Berlin")
    of_the_mailbox = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
    assert says in Page(admin.get(of_the_mailbox)).text
    services.activate_mailbox(acme, acme_mailbox.mailbox, by=cast.admin)
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=cast.admin)
    assert "So kam es" not in Page(admin.get(of_the_mailbox)).text
    told = Page(admin.get("/activity/")).text
    assert {"restored": "Aus einer Sicherung wiederhergestellt", "imported": "Aus einem Export importiert"}[
        cause
    ] in told
