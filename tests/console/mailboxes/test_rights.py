"""Each page that changes a mailbox, and each person: a table, so that none is forgotten."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import get_resolver

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.models import Mailbox
from mailboxes.services import Act
from tenants.access import Right, rights_of
from tests.cast import Cast
from tests.conftest import OpenMailbox
from tests.console.kit import Page
from tests.pages import read

ACTS = {
    "edit": ("edit/", {"name": "Another", "status": "suspended"}),
    "reset_password": ("reset-password/", {"locked_mail": "delete"}),
    "unlock": ("unlock/", {"password": "x"}),
    "delete": ("delete/", {"confirmed_name": "Office 365 Journal"}),
    "delete_locked": ("delete-locked-mail/", {}),
}
LOOKS = {
    "list",
    "detail",
    "deliveries",
    "job",
    "deleted",
    "certificate",
    "certificate_json",
}  # job: see test_jobs
act = pytest.mark.parametrize(("path", "data"), ACTS.values(), ids=ACTS)


# By which address a mailbox's own page offers an act; the other two are offered on the pages of these.
OFFERS = {
    Act.EDIT: "edit/",
    Act.RESET_PASSWORD: "reset-password/",
    Act.UNLOCK: "unlock/",
    Act.SEE_LOSSES: "delete/",
}


def test_no_page_is_missing_here() -> None:
    routes = get_resolver("portal.console.mailboxes.urls").url_patterns
    assert {route.name for route in routes} == {"new"} | LOOKS | ACTS.keys()


@act
def test_viewers_and_auditors_may_not_act(
    cast: Cast,
    client_for: Callable[..., Client],
    acme: Any,
    acme_mailbox: OpenMailbox,
    mailboxes: Callable[[], list[Mailbox]],
    path: str,
    data: dict[str, str],
) -> None:
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/{path}"
    for person in (cast.viewer, cast.auditor):
        client = client_for(person)
        assert client.get(url).status_code == 403
        assert client.post(url, data).status_code == 403
    assert [(mailbox.name, mailbox.status) for mailbox in mailboxes()] == [
        ("Office 365 Journal", "suspended")
    ]


@act
def test_admins_owners_and_operators_may(
    cast: Cast,
    client_for: Callable[..., Client],
    acme_mailbox: OpenMailbox,
    path: str,
    data: dict[str, str],
) -> None:
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/{path}"
    for person in (cast.admin, cast.owner):
        assert client_for(person).get(url).status_code == 200


@act
def test_for_everybody_else_there_is_no_such_page(
    cast: Cast,
    client_for: Callable[..., Client],
    acme_mailbox: OpenMailbox,
    path: str,
    data: dict[str, str],
) -> None:
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/{path}"
    tries = [client_for(person) for person in (cast.mallory, cast.rival, cast.staff, cast.stranger)]
    for client in (*tries, client_for(cast.mallory, "globex")):
        assert client.get(url).status_code == 404
        assert client.post(url, data).status_code == 404
    assert client_for().get(url).status_code == 302  # to the sign-in
    assert client_for(cast.admin).get(f"/mailboxes/{uuid4()}/{path}").status_code == 404


@act
def test_another_sites_form_is_refused(
    cast: Cast,
    client_for: Callable[..., Client],
    acme_mailbox: OpenMailbox,
    path: str,
    data: dict[str, str],
) -> None:
    careful = client_for(cast.admin, enforce_csrf_checks=True)
    assert careful.post(f"/mailboxes/{acme_mailbox.mailbox.pk}/{path}", data).status_code == 403


@act
def test_what_is_being_deleted_is_open_to_no_act_and_the_page_says_why(
    admin: Client, acme: Any, acme_mailbox: OpenMailbox, path: str, data: dict[str, str]
) -> None:
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/{path}"
    for answer in (admin.get(url, follow=True), admin.post(url, data, follow=True)):
        assert [status for _, status in answer.redirect_chain] == [302]
        assert "This mailbox is being deleted." in Page(answer).text


def test_buttons_are_for_those_who_may_press_them(
    cast: Cast, client_for: Callable[..., Client], acme_mailbox: OpenMailbox
) -> None:
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
    buttons = {"Edit": f"{url}edit/", "Reset password": f"{url}reset-password/", "Delete": f"{url}delete/"}
    assert Page(client_for(cast.admin).get(url)).links.items() >= buttons.items()
    assert Page(client_for(cast.owner).get(url)).links.items() >= buttons.items()
    for person in (cast.viewer, cast.auditor):
        assert not buttons.keys() & Page(client_for(person).get(url)).links.keys()


@pytest.mark.parametrize("who", ["admin", "viewer"])
@pytest.mark.parametrize("status", Mailbox.Status.values)
def test_pages_offer_what_the_status_and_the_persons_rights_leave_of_acts_and_nothing_else(
    cast: Cast,
    client_for: Callable[..., Client],
    acme: Any,
    acme_mailbox: OpenMailbox,
    fill: Callable[..., None],
    status: str,
    who: str,
) -> None:
    person = getattr(cast, who)
    fill(b"one")
    services.reset_password(acme, acme_mailbox.mailbox, by=SYSTEM, locked_mail="keep")
    if status != Mailbox.Status.ACTIVE:
        services.suspend_mailbox(acme, acme_mailbox.mailbox, by=SYSTEM)
    if status == Mailbox.Status.DELETING:
        services.start_deletion(acme, acme_mailbox.mailbox, by=SYSTEM)
    mailbox = services.mailbox_for(person, acme, acme_mailbox.mailbox.pk, Right.VIEW_MAILBOXES)
    assert mailbox.status == status
    url, browser = f"/mailboxes/{mailbox.pk}/", client_for(person)

    def leads_to(page: str) -> set[str]:
        return {link.partition("?")[0] for link in read(browser.get(page)).xpath("//main//a/@href")}

    offered = {act for act, path in OFFERS.items() if f"{url}{path}" in leads_to(url)}
    if Act.UNLOCK in offered and f"{url}delete-locked-mail/" in leads_to(f"{url}unlock/"):
        offered.add(Act.DELETE_LOCKED_MAIL)
    if Act.SEE_LOSSES in offered and read(browser.get(f"{url}delete/")).xpath("//*[@name='confirmed_name']"):
        offered.add(Act.DELETE)
    assert offered == services.acts_on(mailbox, rights_of(person, acme))
