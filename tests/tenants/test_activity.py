"""What was done, told to those whom it concerns: on a customer's host, and to a provider's people."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.actors import SYSTEM
from mailboxes import services
from mailboxes.work.slices import work_slice
from tenants import activity, audit
from tenants.models import AuditEvent, Customer, Side
from tenants.services import add_membership, remove_membership
from tenants.services.authority import limit_to
from tests.cast import customer, provider
from tests.pages import follows, presses


@pytest.fixture
def read(client_for):
    """What a page of activity says, as text."""

    def get(user, host="acme", **question):
        answer = client_for(user, host).get("/activity/", question)
        assert answer.status_code == 200
        return " ".join(re.sub(r"<[^>]*>", " ", answer.content.decode().replace("<wbr>", "")).split())

    return get


def told(user, **question):
    """The sentences that somebody of a provider reads."""
    trail = activity.activity_for(user)
    return [entry.sentence for entry in activity.read(trail, activity.Asked(**question)).entries]


def told_at(place, user, **question):
    trail = activity.activity_at(place, by=user)
    return [entry.sentence for entry in activity.read(trail, activity.Asked(**question)).entries]


# --- A customer's host ---
def test_a_customer_sees_what_the_providers_people_do_to_its_mailboxes(cast, acme, acme_mailbox, read):
    services.edit_mailbox(acme, acme_mailbox.mailbox, name="Journal", description="", by=cast.owner)
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=cast.owner)
    for person in (cast.admin, cast.viewer):
        page = read(person)
        assert "The mailbox “ Journal ” was suspended." in page
        assert "The details of the mailbox “ Journal ” were changed." in page
        assert "Before: Office 365 Journal After: Journal" in page
        assert "Email address operator@northwind.example Belongs to Provider" in page


def test_it_tells_from_where(cast, client_for):
    client_for(cast.admin).post("/settings/", {"language": "en"})
    token = audit.origin.set("192.0.2.77")
    try:
        audit.record("customer.changed", by=cast.admin, customer=customer("acme"), target=customer("acme"))
    finally:
        audit.origin.reset(token)
    assert "192.0.2.77" in client_for(cast.viewer).get("/activity/").content.decode()


def test_nothing_of_other_customers_or_of_the_provider_itself_is_there(cast, acme, globex, make_mailbox):
    make_mailbox("Secret project", customer=globex)
    audit.record("provider.renamed", by=cast.owner, provider=acme.provider, target=acme.provider)
    sentences = " ".join(told_at(acme, cast.admin))
    assert "Secret project" not in sentences
    assert "provider" not in sentences


@pytest.mark.parametrize("page", ["/activity/", "/activity/activity.csv"])
@pytest.mark.parametrize("who", ["mallory", "rival", "staff", "stranger"])
def test_strangers_find_no_such_page(cast, client_for, who, page):
    assert client_for(getattr(cast, who)).get(page).status_code == 404


@pytest.mark.parametrize("page", ["/activity/", "/activity/activity.csv"])
def test_forms_are_not_taken(cast, client_for, page):
    assert client_for(cast.admin).post(page).status_code == 405


def test_a_mailbox_is_linked_and_a_deleted_one_leads_to_its_certificate(cast, client_for, acme, acme_mailbox):
    where = f"/mailboxes/{acme_mailbox.mailbox.pk}/"
    assert f'<a href="{where}">' in client_for(cast.admin).get("/activity/").content.decode()
    services.suspend_mailbox(acme, acme_mailbox.mailbox, by=cast.admin)
    job = services.start_deletion(acme, acme_mailbox.mailbox, by=cast.admin)
    while work_slice(acme, job.pk):
        pass
    page = client_for(cast.admin).get("/activity/").content.decode()
    certificate = f"/mailboxes/deleted/{acme_mailbox.mailbox.pk}/"
    assert f'<a href="{where}">' not in page
    assert f'<a href="{certificate}">' in page
    assert client_for(cast.admin).get(certificate).status_code == 200


def test_names_are_never_taken_for_markup(cast, client_for, make_mailbox):
    make_mailbox("<script>alert(1)</script>", description="%(role)s %s")
    page = client_for(cast.admin).get("/activity/").content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


# --- Who ---
def sides(place, user):
    trail = activity.activity_at(place, by=user)
    return {
        entry.who.name: entry.who.side for entry in activity.read(trail, activity.Asked(text="probe")).entries
    }


def test_everybody_is_told_with_where_they_belong(cast, acme):
    for person in (cast.owner, cast.auditor, cast.admin, cast.staff, cast.stranger, SYSTEM):
        audit.record("probe.acted", by=person, customer=acme, target=("probe", 1, "probe"))
    assert sides(acme, cast.admin) == {
        "Owner": Side.PROVIDER,
        "Auditor": Side.PROVIDER,
        "Admin": Side.CUSTOMER,
        "Staff": Side.STAFF,
        "Stranger": Side.UNKNOWN,
        "Platform staff, on the command line": None,
    }


def test_who_has_left_is_still_told_with_where_they_belonged(cast, acme):
    for person in (cast.auditor, cast.viewer):
        audit.record("probe.acted", by=person, customer=acme, target=("probe", 1, "probe"))
        remove_membership(person.memberships.get(), by=SYSTEM)
    assert sides(acme, cast.admin) == {
        "Auditor": Side.FORMER_PROVIDER,
        "Viewer": Side.FORMER_CUSTOMER,
    }


def test_an_act_stays_on_the_side_on_which_it_was_done(cast, acme):
    """Who has gone over to the customer did as the provider's what they did as the provider's, and the other way."""
    audit.record("mailbox.suspended", by=cast.auditor, customer=acme, target=("mailbox", 1, "probe"))
    audit.record("mailbox.edited", by=cast.viewer, customer=acme, target=("mailbox", 1, "probe"))
    for person, place in [(cast.auditor, {"customer": acme}), (cast.viewer, {"provider": acme.provider})]:
        remove_membership(person.memberships.get(), by=SYSTEM)
        add_membership(person, **place, role="viewer" if "customer" in place else "auditor", by=SYSTEM)
        audit.record("probe.acted", by=person, customer=acme, target=("probe", 1, "probe"))
    trail = activity.activity_at(acme, by=cast.admin)
    told = {
        (entry.event.action, entry.who.name): entry.who.side
        for entry in activity.read(trail, activity.Asked()).entries
    }
    assert told["mailbox.suspended", "Auditor"] == Side.FORMER_PROVIDER
    assert told["probe.acted", "Auditor"] == Side.CUSTOMER
    assert told["mailbox.edited", "Viewer"] == Side.FORMER_CUSTOMER
    assert told["probe.acted", "Viewer"] == Side.PROVIDER


def test_an_act_of_platform_staff_stays_one(cast, acme):
    audit.record("probe.acted", by=cast.staff, customer=acme, target=("probe", 1, "probe"))
    cast.staff.is_staff = False
    cast.staff.save()
    add_membership(cast.staff, customer=acme, role="viewer", by=SYSTEM)
    assert sides(acme, cast.admin) == {"Staff": Side.STAFF}


def test_of_old_acts_the_side_is_told_by_todays_roles(cast, acme):
    for person in (cast.owner, cast.admin, cast.staff, cast.auditor, cast.viewer):
        AuditEvent.objects.create(
            action="probe.acted",
            actor_id=person.pk,
            actor_email=person.email,
            provider_id=acme.provider_id,
            customer_id=acme.pk,
            target_name="probe",
        )
    for person in (cast.auditor, cast.viewer):
        remove_membership(person.memberships.get(), by=SYSTEM)
    assert sides(acme, cast.admin) == {
        "Owner": Side.PROVIDER,
        "Admin": Side.CUSTOMER,
        "Staff": Side.STAFF,
        "Auditor": Side.FORMER_PROVIDER,
        "Viewer": Side.FORMER_CUSTOMER,
    }


def test_an_account_that_is_gone_keeps_its_address_in_the_trail(cast, acme):
    audit.record("probe.acted", by=cast.viewer, customer=acme, target=("probe", 1, "probe"))
    email = cast.viewer.email
    cast.viewer.delete()
    assert list(sides(acme, cast.admin)) == [email]


def test_without_a_person_the_system_is_told_from_the_command_line_and_from_the_anonymous(acme, cast):
    audit.record("mailbox.deleted", customer=acme, target=("mailbox", "x", "probe 1"), by=SYSTEM)
    token = audit.origin.set("192.0.2.1")
    try:
        audit.record("mailbox.edited", customer=acme, target=("mailbox", "x", "probe 2"), by=SYSTEM)
    finally:
        audit.origin.reset(token)
    audit.record("mailbox.edited", customer=acme, target=("mailbox", "x", "probe 3"), by=SYSTEM)
    assert list(sides(acme, cast.admin)) == [
        "Platform staff, on the command line",
        "Somebody who was not signed in",
        "The system",
    ]


# --- The operators' host ---
def test_a_providers_people_see_their_own_team_and_all_their_customers(cast, acme, globex, make_mailbox):
    make_mailbox("Acme's", customer=acme)
    make_mailbox("Globex's", customer=globex)
    make_mailbox("Initech's", customer=customer("initech"))
    for person in (cast.owner, cast.auditor):
        sentences = told(person)
        assert "The mailbox “Acme's” was created." in sentences
        assert "The mailbox “Globex's” was created." in sentences
        assert "auditor@northwind.example was given the role “Auditor”." in sentences
        assert "The mailbox “Initech's” was created." not in sentences
        assert "operator@fabrikam.example was given the role “Owner”." not in sentences


def test_a_limited_operator_sees_only_their_customers(cast, acme, globex, make_mailbox):
    membership = add_membership(cast.stranger, provider=provider("northwind"), role="operator", by=SYSTEM)
    limit_to(membership, [globex])
    make_mailbox("Acme's", customer=acme)
    make_mailbox("Globex's", customer=globex)
    sentences = told(cast.stranger)
    assert "The mailbox “Globex's” was created." in sentences
    assert not [sentence for sentence in sentences if "Acme" in sentence]


def test_the_page_leads_to_the_customers_own_pages(cast, client_for, acme_mailbox):
    page = client_for(cast.owner, None).get("/activity/").content.decode()
    host = "http://acme.portal.localhost"
    assert f'<a href="{host}/mailboxes/{acme_mailbox.mailbox.pk}/">' in page
    assert f'<a href="{host}/activity/">Acme</a>' in page


@pytest.mark.parametrize("page", ["/activity/", "/activity/activity.csv"])
@pytest.mark.parametrize("who", ["admin", "viewer", "mallory", "staff", "stranger"])
def test_who_is_of_no_provider_finds_no_such_page(cast, client_for, who, page):
    assert client_for(getattr(cast, who), None).get(page).status_code == 404


# --- Looking for something ---
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("archive", ["The mailbox “Archive” was created."]),
        ("operator@north", ["The mailbox “Archive” was created."]),  # by address
        ("OWNER", ["The mailbox “Archive” was created."]),  # by name
        ("archivé owner", ["The mailbox “Archive” was created."]),  # in any order, by plain letters
        ("archive journal", []),
        ("no such thing", []),
        ("%", []),
    ],
)
def test_acts_are_found_by_person_and_by_object(cast, acme, make_mailbox, text, found):
    make_mailbox("Journal", by=cast.admin)
    make_mailbox("Archive", by=cast.owner)
    assert told_at(acme, cast.viewer, text=text) == found


def test_who_types_more_words_than_are_looked_for_is_told(read, cast, acme_mailbox):
    page = read(cast.admin, q="a b c d e f g h i")
    assert "Please look for 8 words at most." in page
    assert "The mailbox “ Office 365 Journal ” was created." in page  # as without a question


def test_a_mailbox_is_found_by_its_address(cast, acme, make_mailbox):
    make_mailbox("Journal")
    address = make_mailbox("Archive").address
    assert told_at(acme, cast.viewer, text=address) == ["The mailbox “Archive” was created."]


def test_operators_find_all_of_a_customer_by_its_name(cast, acme, globex, make_mailbox):
    make_mailbox("Ours", customer=acme)
    make_mailbox("Theirs", customer=globex)
    assert "The mailbox “Theirs” was created." in told(cast.owner, text="globex")
    assert "The mailbox “Ours” was created." not in told(cast.owner, text="globex")


def test_acts_are_found_by_kind(cast, acme, acme_mailbox):
    audit.record("probe.acted", customer=acme, target=("probe", 1, "probe"), by=SYSTEM)
    assert told_at(acme, cast.admin, kind="mailboxes") == ["The mailbox “Office 365 Journal” was created."]
    assert told_at(acme, cast.admin, kind="other") == ["probe.acted: “probe”"]
    assert told_at(acme, cast.admin, kind="jobs") == []
    assert len(told_at(acme, cast.admin, kind="people")) == 2


def test_what_an_earlier_release_spelled_otherwise_is_found_and_told_as_today(cast, acme, client_for):
    """Rows can't be changed, so they are read with what they are called now."""
    for action in ("mailbox.password_reset", "mailbox.password-reset"):
        AuditEvent.objects.create(
            action=action,
            customer_id=acme.pk,
            provider_id=acme.provider_id,
            target_type="mailbox",
            target_id="probe",
            target_name="Journal",
        )
    sentence = "The password of the mailbox “Journal” was reset."
    assert told_at(acme, cast.admin, kind="passwords") == [sentence, sentence]
    assert told_at(acme, cast.admin, kind="other") == []
    assert {event.action for event in AuditEvent.objects.filter(target_id="probe")} == {
        "mailbox.password-reset"
    }
    found = client_for(cast.staff, host=None).get(
        "/admin/tenants/auditevent/", {"q": "password-reset journal"}
    )
    assert found.content.decode().replace("<wbr>", "").count("mailbox.password-reset") == 2


def test_acts_are_found_by_day(cast, acme, acme_mailbox):
    # The customer was made when the run began, which may have been yesterday.
    acts = activity.read(activity.activity_at(acme, by=cast.admin), activity.Asked()).entries
    last, *_, first = [timezone.localdate(act.event.at) for act in acts]
    everything = told_at(acme, cast.admin)
    assert told_at(acme, cast.admin, since=first, until=last) == everything
    assert told_at(acme, cast.admin, since=last + timedelta(days=1)) == []
    assert told_at(acme, cast.admin, until=first - timedelta(days=1)) == []


@pytest.mark.parametrize("host", ["acme", None])
def test_the_file_has_what_was_found_on_the_page(cast, client_for, make_mailbox, host):
    make_mailbox("Journal")
    make_mailbox("Archive")
    page = client_for(cast.owner, host).get("/activity/")
    found = presses(page, "Search", q="archive", kind="mailboxes")
    file = b"".join(follows(found, "Download as CSV").streaming_content).decode()
    assert "Archive" in file and "Journal" not in file


def test_days_are_those_of_the_readers_time_zone(acme):
    event = audit.record("probe.acted", customer=acme, target=("probe", 1, "probe"), by=SYSTEM)
    for name in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):  # a day and more apart
        with timezone.override(name):
            day = timezone.localdate(event.at)
            trail = activity.Trail(Customer.objects.filter(pk=acme.pk), Q(customer_id=acme.pk))
            found = activity.search(trail, activity.Asked(text="probe", since=day, until=day))
            assert found.count() == 1
            other = day + timedelta(days=1)
            assert not activity.search(trail, activity.Asked(text="probe", since=other)).exists()


@pytest.mark.parametrize(
    "question",
    [
        {"since": "yesterday"},
        {"until": "9999-12-31"},
        {"since": "0001-01-01"},
        {"kind": "nonsense"},
        {"q": "x" * 1000},
        {"before": "x"},
        {"before": "9" * 40},
        {"after": "-1"},
        {"after": "٣"},
    ],
)
@pytest.mark.parametrize("page", ["/activity/", "/activity/activity.csv"])
def test_questions_that_nobody_can_answer_are_no_errors(cast, client_for, acme_mailbox, page, question):
    assert client_for(cast.admin).get(page, question).status_code == 200
    assert client_for(cast.owner, None).get(page, question).status_code == 200


def test_it_is_said_when_nothing_was_found(cast, acme_mailbox, read):
    assert "Nothing found" in read(cast.admin, q="no such thing")
    assert "Nothing found" not in read(cast.admin)


# --- Pages ---
def test_pages_stay_in_place_while_more_happens(cast, acme, client_for):
    for number in range(2 * activity.PAGE_LENGTH + 5):
        audit.record("probe.acted", customer=acme, target=("probe", number, f"no. {number:03}"), by=SYSTEM)
    client = client_for(cast.admin)

    def visit(link=""):
        page = client.get(f"/activity/{link or '?q=no.'}").content.decode().replace("&amp;", "&")
        links = {
            rel: re.search(rf'rel="{rel}"\s+href="([^"]*)"', page)[1]
            for rel in ("prev", "next")
            if f'rel="{rel}"' in page
        }
        return re.findall(r"no\. (\d+)</bdi>", page), links

    first, links = visit()
    assert (first[0], first[-1], links.keys()) == ("104", "055", {"next"})
    audit.record("probe.acted", customer=acme, target=("probe", 1, "no. 105"), by=SYSTEM)
    second, links = visit(links["next"])
    assert (second[0], second[-1], links.keys()) == ("054", "005", {"prev", "next"})
    last, links = visit(links["next"])
    assert (last, links.keys()) == (["004", "003", "002", "001", "000"], {"prev"})
    assert visit(links["prev"])[0] == second
    second, _ = visit(visit(visit(visit()[1]["next"])[1]["next"])[1]["prev"])
    assert second == [f"{number:03}" for number in range(55, 5, -1)]


def test_an_event_of_another_customer_is_no_place_to_go_on_from(cast, acme, globex, acme_mailbox):
    foreign = audit.record("probe.acted", customer=globex, by=SYSTEM)
    audit.record("probe.acted", customer=acme, target=("probe", 1, "later"), by=SYSTEM)
    trail = activity.activity_at(acme, by=cast.admin)
    newest = activity.read(trail, activity.Asked())
    assert activity.read(trail, activity.Asked(), before=str(foreign.pk)) == newest


@pytest.mark.parametrize("number", [-(2**63), -50, 2**63 - 1])
def test_a_page_begins_at_whichever_number_an_event_has(cast, acme, number):
    """As those have that somebody wrote past Gatehouse before the database gave each its number."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tenants_auditevent DISABLE TRIGGER tenants_audit_next_number")
    AuditEvent.objects.create(id=number, action="probe.acted", customer_id=acme.pk)
    trail = activity.activity_at(acme, by=cast.admin)
    older = activity.read(trail, activity.Asked(), before=str(number))
    assert number not in [entry.event.pk for entry in older.entries]
    assert activity.read(trail, activity.Asked(), before=f"{number}0").entries, "that is no event"


def test_a_page_asks_the_database_no_more_with_more_on_it(cast, acme, client_for):
    def acts(times):
        for number in range(times):
            person = (cast.owner, cast.admin, cast.stranger, SYSTEM)[number % 4]
            audit.record("mailbox.edited", by=person, customer=acme, target=("mailbox", number, "x"))

    def asks(client):
        with CaptureQueriesContext(connection) as queries:
            client.get("/activity/", {"q": "x"})
        return len(queries)

    acts(4)
    clients = [client_for(cast.admin), client_for(cast.owner, None)]
    for client in clients:
        asks(client)  # the first visit also notes the session
    few = [asks(client) for client in clients]
    acts(activity.PAGE_LENGTH - 4)
    assert [asks(client) for client in clients] == few
