"""The activity as a feed: bursts of like acts are one line, and nothing else is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from accounts.actors import SYSTEM
from portal.console.activity.feed import by_days, folded
from tenants import audit
from tenants.activity.reading import Entry, Who
from tenants.models import AuditEvent
from tests.pages import read, text_of

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ACME = UUID(int=1)


def acted(minutes_before_noon=0, **what):
    """Adam of Acme wrote the details of a mailbox, but for what is said otherwise."""
    known = {
        "action": "mailbox.edited",
        "actor_id": 1,
        "actor_email": "adam@acme.example",
        "target_type": "mailbox",
        "target_id": "a",
        "customer_id": ACME,
        "provider_id": 1,
    }
    event = AuditEvent(at=NOON - timedelta(minutes=minutes_before_noon), **known | what)
    return Entry(event, Who("Adam"), customer=None, provider=None, path="", details=[])


def lengths(*entries):
    """Of each line, how many acts it stands for."""
    return [1 + len(line.like_it) for line in folded(entries)]


def test_a_burst_is_one_line_which_shows_the_newest_and_keeps_the_others_in_order():
    burst = [acted(minute, target_id=str(minute)) for minute in range(4)]
    (line,) = folded(burst)
    assert [line.entry, *line.like_it] == burst


@pytest.mark.parametrize(
    "other",
    [
        {"action": "mailbox.suspended"},
        {"actor_id": 2, "actor_email": "olga@northwind.example"},
        {"actor_id": None, "actor_email": ""},
        {"target_type": "user"},
        {"customer_id": UUID(int=2)},
        {"customer_id": None},
        {"provider_id": 2},
        {"vouched_by": "Northwind IT"},
        {"origin": "203.0.113.7"},
    ],
)
def test_what_differs_in_act_person_kind_or_place_is_a_line_of_its_own(other):
    assert lengths(acted(), acted(1, **other)) == [1, 1]


@pytest.mark.parametrize(
    ("action", "newer", "older"),
    [
        ("membership.changed", {"role": "viewer"}, {"role": "owner"}),
        ("provider.security-changed", {"require_second_factor": True}, {"require_second_factor": False}),
        ("mailbox.password-reset", {"with_current_password": True}, {"locked_mail": "delete"}),
    ],
)
def test_acts_of_which_something_else_is_said_do_not_hide_behind_each_other(action, newer, older):
    assert lengths(acted(action=action, data=newer), acted(1, action=action, data=older)) == [1, 1]
    assert lengths(acted(action=action, data=newer), acted(1, action=action, data=newer)) == [2]


def test_two_who_were_not_signed_in_are_told_apart_by_what_they_are():
    system, somebody = acted(actor_id=None, actor_email=""), acted(1, actor_id=None, actor_email="")
    assert lengths(system, replace(somebody, who=Who("Somebody"))) == [1, 1]


def test_only_what_was_done_in_a_row_is_folded():
    between = acted(1, action="mailbox.suspended")
    assert lengths(acted(), between, acted(2)) == [1, 1, 1]


def test_a_burst_lasts_an_hour_from_its_newest_and_no_longer():
    assert lengths(*[acted(minute) for minute in (0, 30, 60, 61, 90)]) == [3, 2]


def test_days_are_the_readers_and_nothing_is_folded_over_midnight():
    with timezone.override("Asia/Tokyo"):  # where noon in UTC is nine in the evening
        days = by_days([acted(minute) for minute in (-181, -179)])
    assert [(day.day.day, len(day.lines)) for day in days] == [(5, 1), (4, 1)]


def test_no_acts_make_no_days():
    assert by_days([]) == []


def test_the_page_shows_a_burst_as_one_line_that_opens(cast, acme, client_for):
    for number in range(4):
        audit.record("probe.acted", customer=acme, target=("probe", number, f"no. {number}"), by=SYSTEM)
    page = read(client_for(cast.admin).get("/activity/", {"q": "no."}))
    (line,) = page.xpath("//ol[@class='feed'][not(ancestor::ol)]/li")
    assert text_of(line.xpath(".//summary")[-1]) == "and 3 more like it"
    assert [text_of(one) for one in line.xpath(".//details//li//bdi") if "no." in text_of(one)] == [
        "no. 2",
        "no. 1",
        "no. 0",
    ]
