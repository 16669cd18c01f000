"""The list of mailboxes: what it says, searching, sorting, paging, and what it says when there is nothing."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tenants.utils import tenant_context

from mailboxes.models import Mailbox, TallyChange
from tests.cast import Cast
from tests.console.kit import Page
from tests.pages import follows, presses, read, text_of


@pytest.fixture
def names(acme: Any) -> Callable[[Page], list[str]]:
    """The mailboxes on a page, in its order."""
    with tenant_context(acme):
        known = {f"/mailboxes/{pk}/" for pk in Mailbox.objects.values_list("pk", flat=True)}
    return lambda page: [name for name, href in page.links.items() if href in known]


@pytest.fixture
def three(acme: Any, make_mailbox: Any) -> None:
    made = [
        make_mailbox(name, description=text)
        for name, text in (("Bern", "West"), ("Aarau", "North"), ("Chur", ""))
    ]
    with tenant_context(acme):
        for each, count in zip(made, (2, 30, 1), strict=True):
            TallyChange.objects.create(
                mailbox=each.mailbox, messages=count, octets=count * 1024, mail_at=timezone.now()
            )


def test_an_empty_list_says_what_to_do_first(admin: Client) -> None:
    answer = admin.get("/mailboxes/")
    assert "No mailbox yet" in Page(answer).text
    assert follows(answer, "Create mailbox").request["PATH_INFO"] == "/mailboxes/new/", (
        "there is one such link"
    )


def test_an_empty_list_sends_a_viewer_to_an_administrator(
    cast: Cast, client_for: Callable[..., Client]
) -> None:
    page = Page(client_for(cast.viewer).get("/mailboxes/"))
    assert "Ask an administrator" in page.text
    assert "Create mailbox" not in page.links


def test_the_list_shows_what_each_mailbox_is_and_holds(admin: Client, make_mailbox: Any, acme: Any) -> None:
    journal = make_mailbox("Journal", description="All of head office")
    with tenant_context(acme):
        TallyChange.objects.create(mailbox=journal.mailbox, messages=3, octets=2048, mail_at=timezone.now())
    response = admin.get("/mailboxes/")
    text = text_of(read(response))
    for expected in ("Journal", "All of head office", "Active", journal.address, "3", "2.0\xa0KB", "not yet"):
        assert " ".join(expected.split()) in text
    assert "just now" in text
    assert f'title="{timezone.now():%-d %b %Y} ' in response.content.decode(), "the exact time, on focus"


@pytest.mark.usefixtures("three")
def test_what_all_addresses_end_in_is_said_once_and_where_they_differ_beside_each(
    admin: Client, acme: Any
) -> None:
    ending = f"3 mailboxes · addresses end in @{settings.MAIL_DOMAIN}"
    assert ending in Page(admin.get("/mailboxes/")).text
    with tenant_context(acme):
        Mailbox.objects.filter(name="Bern").update(address="mbx-2345678923456789@former.example")
    page = admin.get("/mailboxes/")
    assert "addresses end in" not in Page(page).text
    assert not read(page).find_class("said")
    assert "mbx-2345678923456789@former.example" in text_of(read(page))


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Aarau", "Bern", "Chur"]),
        ("sort=-name", ["Chur", "Bern", "Aarau"]),
        ("sort=-waiting", ["Aarau", "Bern", "Chur"]),
        ("sort=waiting_octets", ["Chur", "Bern", "Aarau"]),
        ("sort=no-such-column", ["Aarau", "Bern", "Chur"]),
        ("q=WEST", ["Bern"]),
        ("q=mbx-&sort=-name", ["Chur", "Bern", "Aarau"]),
        ("page=99", ["Aarau", "Bern", "Chur"]),
    ],
)
def test_searching_and_sorting(
    admin: Client, names: Callable[[Page], list[str]], query: str, expected: list[str]
) -> None:
    assert names(Page(admin.get(f"/mailboxes/?{query}"))) == expected


@pytest.mark.usefixtures("three")
def test_a_heading_sorts_and_then_turns_round_and_keeps_the_search(admin: Client) -> None:
    response = admin.get("/mailboxes/?q=mbx&sort=name&page=1")
    assert 'aria-sort="ascending"' in response.content.decode()
    links = Page(response).links
    assert links["Name"] == "?q=mbx&sort=-name"
    assert links["Waiting"] == "?q=mbx&sort=-waiting"


@pytest.mark.usefixtures("three")
def test_a_search_keeps_the_order_and_begins_at_its_first_page(
    admin: Client, names: Callable[[Page], list[str]]
) -> None:
    found = presses(admin.get("/mailboxes/?sort=-name&page=7&seen=x"), "Search", q="mbx")
    assert found.wsgi_request.GET.dict() == {"q": "mbx", "sort": "-name"}
    assert names(Page(found)) == sorted(names(Page(found)), reverse=True)


@pytest.mark.usefixtures("three")
def test_a_search_without_result_says_so_and_shows_the_way_back(admin: Client) -> None:
    response = admin.get("/mailboxes/", {"q": "<b>Zug"})
    page = Page(response)
    assert "No mailbox has “<b>Zug” in its name, description or address." in page.text
    assert b"<b>Zug" not in response.content
    assert page.links["Show all"] == "/mailboxes/"


@pytest.fixture
def fifty_one(acme: Any) -> list[Mailbox]:
    """One more than there is room for on a page."""
    with tenant_context(acme):
        return Mailbox.objects.bulk_create(
            Mailbox(name=f"Journal {number:03}", address=f"mbx-{number}@gateway.localhost")
            for number in range(51)
        )


def test_fifty_are_on_a_page(admin: Client, fifty_one: list[Mailbox]) -> None:
    first, second = Page(admin.get("/mailboxes/?sort=name")), Page(admin.get("/mailboxes/?sort=name&page=2"))
    shown = [[each.name in page.text for each in fifty_one].count(True) for page in (first, second)]
    assert shown == [50, 1]
    assert first.links["Next"] == "?sort=name&page=2"
    assert second.links["Previous"] == "?sort=name&page=1"
    labels = read(admin.get("/mailboxes/?page=2")).xpath("//nav[contains(@class, 'pager')]/@aria-label")
    assert labels == ["Pages of the list"]


@pytest.mark.usefixtures("fifty_one")
@pytest.mark.parametrize("language", [code for code, _name in settings.LANGUAGES])
def test_a_screen_reader_tells_the_pages_of_the_list_from_those_of_the_portal(
    admin: Client, language: str
) -> None:
    response = admin.get("/mailboxes/", headers={"Accept-Language": language})
    labels = re.findall(r'<nav[^>]*aria-label="([^"]+)"', response.content.decode())
    assert len(labels) == len(set(labels)) == 3


def test_other_customers_mailboxes_are_not_listed(admin: Client, make_mailbox: Any, globex: Any) -> None:
    make_mailbox("Globex Journal", customer=globex)
    assert "Globex Journal" not in Page(admin.get("/mailboxes/")).text


def test_more_mailboxes_ask_the_database_no_more(admin: Client, make_mailbox: Any) -> None:
    make_mailbox("First")
    admin.get("/mailboxes/")
    with CaptureQueriesContext(connection) as few:
        admin.get("/mailboxes/")
    for number in range(5):
        make_mailbox(f"Mailbox {number}")
    with CaptureQueriesContext(connection) as many:
        admin.get("/mailboxes/")
    assert len(many) == len(few)
    assert len(many) <= 18  # of them two name the schema: that of all, and the customer's
    assert sum(each["sql"].startswith("SET search_path") for each in many) == 2
