"""Refused sign-ins are told in the console, where somebody can give the archiver its password."""

import uuid
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.models import SignInRefusal
from mailboxes.services import sign_in_refusals
from tests.pages import read

REFUSED = "Sign-ins by POP3 from {} have been refused since "


@pytest.fixture
def told(acme, acme_mailbox):
    """The networks of which the console tells, and since when."""

    def look() -> dict[str, object]:
        found = sign_in_refusals.sign_in_refusals_of(acme, acme_mailbox.mailbox, by=SYSTEM)
        return {refusal.network: refusal.since for refusal in found}

    return look


def test_the_page_tells_of_refused_sign_ins_until_the_right_password_comes_from_there(
    start_gateway, acme_mailbox, cast, client_for, until, told
):
    gateway = start_gateway(guesses={"per_pair": 2}, maildrops={"refusal_seconds": 0})
    browser = client_for(cast.admin)

    def page() -> str:
        return browser.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/").content.decode()

    gateway.sign_ins((acme_mailbox.address, acme_mailbox.password), source="127.0.7.1")
    assert "have been refused" not in page()
    assert "Sign-ins refused" not in browser.get("/mailboxes/").content.decode()

    gateway.sign_ins((acme_mailbox.address.partition("@")[0], "mistyped"), source="127.0.7.1")
    gateway.sign_ins((acme_mailbox.address, "mistyped"), source="127.0.8.1")
    until(lambda: len(told()) == 2)
    assert REFUSED.format("127.0.7.0/24") in page()
    assert REFUSED.format("127.0.8.0/24") in page()
    (notice,) = read(browser.get(f"/mailboxes/{acme_mailbox.mailbox.pk}/")).xpath(
        "//p[contains(., '127.0.8.0/24')]/following-sibling::p"
    )
    (end,) = notice.xpath(".//time/@datetime")
    assert datetime.fromisoformat(end) - told()["127.0.8.0/24"] == sign_in_refusals.TOLD
    assert "Sign-ins refused" in browser.get("/mailboxes/").content.decode()

    gateway.sign_ins((acme_mailbox.address, acme_mailbox.password), source="127.0.7.1")
    assert REFUSED.format("127.0.7.0/24") not in page()
    assert REFUSED.format("127.0.8.0/24") in page()


def test_it_is_written_once_a_minute_and_keeps_its_beginning(acme, acme_mailbox, told, db):
    sign_in_refusals.note(acme_mailbox.address, "192.0.2.0/24")
    (since,) = told().values()
    with tenant_context(acme):
        row = SignInRefusal.objects.get()
        sign_in_refusals.note(acme_mailbox.address, "192.0.2.0/24")
        assert SignInRefusal.objects.get().last_at == row.last_at

        SignInRefusal.objects.update(last_at=timezone.now() - timedelta(minutes=2))
        sign_in_refusals.note(acme_mailbox.address, "192.0.2.0/24")
        assert SignInRefusal.objects.get().last_at >= row.last_at
        assert told() == {"192.0.2.0/24": since}


def test_after_two_quiet_days_nothing_is_told_and_the_next_one_begins_anew(acme, acme_mailbox, told, db):
    sign_in_refusals.note(acme_mailbox.address, "192.0.2.0/24")
    before = timezone.now()
    with tenant_context(acme):
        SignInRefusal.objects.update(since=before - timedelta(days=9), last_at=before - timedelta(days=3))
    assert told() == {}

    sign_in_refusals.note(acme_mailbox.address, "192.0.2.0/24")

    assert told()["192.0.2.0/24"] >= before


def test_who_guesses_from_everywhere_fills_no_table(acme, acme_mailbox, told, db):
    for number in range(sign_in_refusals.NETWORKS + 5):
        sign_in_refusals.note(acme_mailbox.address, f"10.0.{number}.0/24")

    assert len(told()) == sign_in_refusals.NETWORKS
    sign_in_refusals.note(acme_mailbox.address, "192.0.2.0/24")
    assert len(told()) == sign_in_refusals.NETWORKS
    assert "192.0.2.0/24" in told(), "strangers do not hide the archiver"


def test_names_that_are_no_mailbox_leave_nothing(acme, acme_mailbox, told, db):
    sign_in_refusals.note(f"mbx-{uuid.uuid4().hex}", "192.0.2.0/24")

    with tenant_context(acme):
        assert not SignInRefusal.objects.exists()
