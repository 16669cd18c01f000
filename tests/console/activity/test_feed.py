"""The activity as a feed: bursts of like acts are one line, and nothing else is."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from accounts.actors import SYSTEM
from mailboxes import services as mailbox_services
from portal.console.activity.feed import by_days, folded
from tenants import activity, audit, services
from tenants.activity.reading import Entry, Who
from tenants.activity.words import WORDINGS
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
    return Entry(event, Who("Adam"), customer=None, provider=None, mailbox=None, details=[])


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


# --- Through the trail as it is written ---
def told(trail, *actions):
    """Of each line, whom or what it names; of a fold all."""
    page = activity.read(trail, activity.Asked())
    return [
        [one.event.target_name for one in (line.entry, *line.like_it)]
        for line in folded(page.entries)
        if line.entry.event.action in actions
    ]


def test_who_is_invited_for_all_customers_does_not_hide_among_those_who_are_limited(cast, northwind, acme):
    for name, limit in (("a1", [acme]), ("a2", [acme]), ("mallory2", None), ("a3", [acme]), ("a4", [acme])):
        email = f"{name}@northwind.example"
        services.invite(northwind, email, role="operator", customers=limit, by=cast.owner)
    assert told(activity.activity_for(cast.owner), "invitation.created") == [
        ["a4@northwind.example", "a3@northwind.example"],
        ["mallory2@northwind.example"],
        ["a2@northwind.example", "a1@northwind.example"],
    ]


def test_a_setting_that_is_emptied_does_not_hide_among_changes(cast, acme):
    settings = {"name": "Acme", "mailbox_quota_octets": None, "by": SYSTEM}
    for networks in (["192.0.2.0/24"], [], ["192.0.2.0/24"]):
        services.edit_customer(acme, allowed_networks=networks, **settings)
    assert told(activity.activity_at(acme, by=cast.admin), "customer.changed") == [["Acme"]] * 3


def test_edits_and_reasons_do_not_hide_among_others(cast, acme, make_mailbox):
    a, b, c = (made.mailbox for made in map(make_mailbox, "abc"))
    for mailbox, text in ((a, "for tests"), (b, ""), (c, "for tests")):
        mailbox_services.edit_mailbox(
            acme,
            mailbox,
            by=SYSTEM,
            name=f"{mailbox.name}2" if mailbox == b else mailbox.name,
            description=text,
        )
    for mailbox, reason in ((a, "moved"), (c, "moved"), (b, "for Mallory")):
        mailbox_services.suspend_mailbox(acme, mailbox, by=SYSTEM, reason=reason)
    trail = activity.activity_at(acme, by=cast.admin)
    assert told(trail, "mailbox.edited") == [["c"], ["b2"], ["a"]]
    assert told(trail, "mailbox.suspended") == [["b2"], ["c", "a"]]


def test_what_only_says_which_object_it_was_keeps_no_burst_open(cast, acme, northwind, make_mailbox):
    names = [f"no. {number}" for number in range(4)]
    made = [make_mailbox(name).mailbox for name in names]
    for mailbox in made:
        mailbox_services.suspend_mailbox(acme, mailbox, by=SYSTEM, reason="moved")
    for mailbox in made:
        mailbox_services.start_deletion(acme, mailbox, by=SYSTEM)
    for name in ("a1", "a2"):
        services.invite(acme, f"{name}@acme.example", role="viewer", by=cast.admin)
    trail = activity.activity_at(acme, by=cast.admin)
    for action in ("mailbox.created", "mailbox.suspended", "mailbox.deletion-started"):
        assert told(trail, action) == [names[::-1]]
    assert told(trail, "invitation.created") == [["a2@acme.example", "a1@acme.example"]]


def test_of_an_action_that_nobody_has_put_into_words_every_detail_counts(cast, acme):
    assert "probe.acted" not in WORDINGS
    for address in ("x", "x", "y"):
        audit.record(
            "probe.acted", customer=acme, target=("probe", 1, "it"), by=SYSTEM, data={"address": address}
        )
    assert told(activity.activity_at(acme, by=cast.admin), "probe.acted") == [["it"], ["it", "it"]]


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
