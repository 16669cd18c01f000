"""What was done, in words and as a file: every act has its sentence, and no cell of the file is a formula."""

import ast
import csv
import re
from io import StringIO
from pathlib import Path
from unittest.mock import ANY

import pytest
from django.utils import translation
from lxml.html import fragment_fromstring

from accounts.actors import SYSTEM
from accounts.models import User
from mailboxes.models import Job
from mailboxes.services import progress
from portal.console.activity import file as activity_csv
from portal.console.activity import sentences
from tenants import activity, audit
from tenants.activity import reading
from tenants.activity import words as activity_words
from tenants.activity.reading import Entry, Who
from tenants.models import SPELLING, AuditEvent, OpenJob, spelled_now
from tenants.services import (
    add_membership,
    change_member,
    change_role,
    edit_customer,
    invite,
    remove_membership,
)
from tenants.services.authority import limit_to
from tests.cast import provider
from tests.pages import read, text_of

ROOT = Path(__file__).resolve().parent.parent.parent
ROOMS = ("accounts", "tenants", "mailboxes", "gateway", "portal")

# What programs know acts by. None ever changes.
ACTIONS = {
    "provider.branding-changed",
    "provider.branding-reset",
    "provider.logo-changed",
    "provider.logo-removed",
    "mailbox.created",
    "mailbox.edited",
    "mailbox.suspended",
    "mailbox.activated",
    "mailbox.reach-tested",
    "mailbox.deletion-started",
    "mailbox.deleted",
    "mailbox.password-reset",
    "mailbox.password-refused",
    "mailbox.unlocked",
    "mailbox.locked-mail-deleted",
    "job.failed",
    "job.waits",
    "job.retried",
    "job.resumed",
    "person.created",
    "person.switched-off",
    "person.switched-on",
    "person.address-changed",
    "person.access-changed",
    "person.details-changed",
    "person.let-in",
    "person.second-factor-added",
    "person.second-factor-removed",
    "person.recovery-codes-made",
    "person.signed-in-by-identity-provider",
    "membership.added",
    "membership.changed",
    "membership.removed",
    "invitation.created",
    "invitation.resent",
    "invitation.withdrawn",
    "invitation.accepted",
    "identity-provider.set-up",
    "identity-provider.changed",
    "identity-provider.switched-on",
    "identity-provider.switched-off",
    "identity-provider.domain-proven",
    "identity-provider.domain-lapsed",
    "identity-provider.consent-given",
    "identity-provider.consent-withdrawn",
    "identity-provider.person-forgotten",
    "provider.created",
    "provider.renamed",
    "provider.time-zone-set",
    "provider.security-changed",
    "customer.created",
    "customer.changed",
    "customer.suspended",
    "customer.activated",
    "customer.removed",
    "customer.restored",
    "customer.exported",
    "customer.imported",
    "customer.given-up",
}


@pytest.fixture
def download(client_for):
    def get(user, host="acme", **question):
        answer = client_for(user, host).get("/activity/activity.csv", question)
        assert answer.status_code == 200
        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        text = b"".join(answer.streaming_content).decode("utf-8-sig")
        return list(csv.DictReader(StringIO(text)))

    return get


# --- The file ---
def test_the_file_holds_what_the_page_shows(cast, acme, make_mailbox, download):
    make_mailbox("Journal", by=cast.admin)
    make_mailbox("Archive", by=cast.owner)
    (row,) = download(cast.viewer, q="journal")
    assert row == {
        "Time": ANY,
        "Person": "Admin",
        "Email address": "admin@acme.example",
        "Belongs to": "Customer",
        "IP address": "",
        "What": "The mailbox “Journal” was created.",
        "Details": ANY,
        "Action": "mailbox.created",
        "ID of the object": ANY,
        "Vouched for by": "",
    }
    (row,) = download(cast.owner, host=None, q="journal")
    assert (row["Customer"], row["Provider"]) == ("Acme", "Northwind IT")


def test_times_name_their_zone_on_the_page_and_in_the_file(cast, acme, download, client_for):
    User.objects.filter(pk=cast.admin.pk).update(time_zone="Europe/Berlin")
    invite(acme, "late@acme.example", role="viewer", by=cast.admin)
    (row,) = download(cast.admin, q="late@")
    assert re.search(r"\+0[12]:00$", row["Time"])
    assert re.search(r"Valid until: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+0[12]:00", row["Details"])
    page = text_of(read(client_for(cast.admin).get("/activity/", {"q": "late@"})))
    assert re.search(r"Valid until \d+ \w+ \d{4}, \d\d:\d\d CES?T", page)


def test_the_file_is_whole_however_long_it_is(cast, acme, download, monkeypatch):
    monkeypatch.setattr(reading, "BATCH_LENGTH", 7)
    for number in range(20):
        audit.record("probe.acted", customer=acme, target=("probe", number, f"no. {number:02}"), by=SYSTEM)
    rows = download(cast.admin, q="no.")
    assert [row["ID of the object"] for row in rows] == [str(number) for number in range(19, -1, -1)]


@pytest.mark.parametrize(("language", "separator"), [("en", ","), ("de", ";"), ("fr", ";"), ("es", ";")])
def test_the_file_has_the_separator_that_spreadsheets_expect_in_the_readers_language(
    cast, acme, make_mailbox, language, separator
):
    make_mailbox("Journal", by=cast.admin)
    trail = activity.activity_at(acme, by=cast.admin)
    with translation.override(language):
        text = "".join(activity_csv.lines(trail, activity.Asked(text="journal")))
    head, row = csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=separator)
    assert len(head) == len(row) == 10


@pytest.mark.parametrize(
    ("name", "harmless"),
    [
        *((name, f"'{name}") for name in ("=1+1", "+1", "-1", "@SUM(A1)", "\uff1d1")),
        *(
            (f"{before}=1", f"{before}'=1")
            for before in ("\t", "\r", " ", "x;", "x,", "x\t", "x\n", "x; ", 'x;"')
        ),
        *((name, name) for name in ("a=1", "a; b", "a - b", "a\nb")),
    ],
)
@pytest.mark.parametrize("language", ["en", "de"])
def test_no_cell_is_taken_for_a_formula_by_whatever_the_file_is_read(cast, acme, name, harmless, language):
    assert activity_csv.harmless(name) == harmless
    AuditEvent.objects.create(
        action=name, customer_id=acme.pk, target_type="probe", target_name=name, data={name: name}
    )
    trail = activity.activity_at(acme, by=cast.admin)
    with translation.override(language):
        text = "".join(activity_csv.lines(trail, activity.Asked(kind="other")))
    for separator in ",;\t":
        rows = csv.reader(StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=separator)
        cells = [cell.lstrip(' "\t\r\n') for row in rows for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\uff1d"))]


# --- Words ---
def test_actions_are_those_that_programs_know():
    assert activity_words.WORDINGS.keys() == ACTIONS


def test_a_change_is_told_with_what_was_before(cast, acme):
    change_role(cast.viewer.memberships.get(), role="admin", by=cast.staff)
    edit_customer(acme, name="Acme Ltd", allowed_networks=[], mailbox_quota_octets=2048, by=cast.staff)
    trail = activity.activity_at(acme, by=cast.admin)
    changed, role = activity.read(trail, activity.Asked()).entries[:2]
    assert role.sentence == "The role of viewer@acme.example was changed and is “Administrator” now."
    assert [detail.plain for detail in role.details] == [
        "Role: Viewer before, Administrator after",
        "By platform staff: yes",
    ]
    assert [detail.plain for detail in changed.details] == [
        "Name: Acme Ltd",
        "Limit for each mailbox: 2.0\N{NO-BREAK SPACE}KB",
    ]


def test_who_is_limited_to_some_customers_reads_no_names_of_others(cast, acme, globex):
    northwind = provider("northwind")
    limit_to(add_membership(cast.stranger, provider=northwind, role="operator", by=SYSTEM), [globex])

    def limit_the_auditor_to(*customers):
        pk = cast.auditor.memberships.get().pk
        change_member(northwind, pk, role="auditor", customers=customers or None, by=cast.owner)

    def newest(user):
        trail = activity.activity_for(user)
        (entry,) = activity.read(trail, activity.Asked(text="auditor@")).entries[:1]
        return [detail.plain for detail in entry.details]

    limit_the_auditor_to(acme, globex)
    assert newest(cast.owner) == ["Only these customers: acme, globex"]
    assert newest(cast.stranger) == ["Only these customers: globex, others"]
    limit_the_auditor_to()
    assert newest(cast.owner) == ["Only these customers: acme, globex before, all after"]
    assert newest(cast.stranger) == ["Only these customers: globex, others before, all after"]


def test_a_limit_to_customers_that_are_gone_is_not_told_as_none(cast, acme):
    limit_to(cast.auditor.memberships.get(), [acme])
    cast.auditor.memberships.get().customers.clear()
    remove_membership(cast.auditor.memberships.get(), by=SYSTEM)
    (entry,) = activity.read(activity.activity_for(cast.owner), activity.Asked(text="auditor@")).entries[:1]
    assert [detail.plain for detail in entry.details] == ["Only these customers: empty"]


def test_what_the_sentence_says_is_not_said_again(cast, acme):
    event = audit.record(
        "membership.added",
        customer=acme,
        target=cast.viewer,
        data={"role": "viewer", "customers": ["acme"]},
        by=SYSTEM,
    )
    assert [detail.plain for detail in activity_words.details(event)] == ["Only these customers: acme"]


@pytest.mark.parametrize("trouble", OpenJob.Trouble)
def test_what_was_wrong_with_a_job_is_told_in_words(acme, trouble):
    data = {"job": "5e1f", "kind": "re-encryption", "trouble": trouble.value}
    event = audit.record("job.failed", customer=acme, target=("mailbox", 1, "Journal"), data=data, by=SYSTEM)
    (told,) = [detail for detail in activity_words.details(event) if detail.key == "trouble"]
    assert told.plain == f"Trouble: {progress(Job(error=trouble.value)).trouble}"
    assert told.value != trouble.value and progress(Job(error=trouble.value)).advice


@pytest.mark.parametrize("action", activity_words.WORDINGS)
def test_every_sentence_can_be_told_of_an_event_without_details(action):
    event = AuditEvent(action=action, target_name="Journal")
    told = activity_words.sentence(event)
    assert "%(" not in told
    entry = Entry(event, Who("Adam"), customer=None, provider=None, mailbox=None, details=[])
    shown = sentences.linked(entry, "/x/")
    assert text_of(fragment_fromstring(shown, create_parent=True)) == told
    assert shown.count('<a href="/x/"><bdi>Journal</bdi></a>') == told.count("Journal")


def test_an_action_that_nobody_has_worded_shows_its_name(acme):
    assert activity_words.sentence(AuditEvent(action="moon.landed")) == "moon.landed"
    assert activity_words.sentence(AuditEvent(action="moon.landed", target_name="Eagle")) == (
        "moon.landed: “Eagle”"
    )


@pytest.fixture(scope="module")
def code():
    """Every node of the rooms' code."""
    paths = (path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")))
    return [node for path in paths for node in ast.walk(ast.parse(path.read_text()))]


def recorded_actions(code):
    """Each text in the code that names an action: what audit.record is given, and what looks like one."""
    kinds = {action.partition(".")[0] for action in activity_words.WORDINGS}
    for node in code:
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("audit.record", "_record")):
            given = node.args[0] if node.args else None
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                yield given.value
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = re.fullmatch(r"([a-z_-]+)\.[a-z_-]+", node.value)
            if name and spelled_now(name[1]) in kinds:
                yield node.value


def test_every_action_that_the_code_writes_down_has_a_sentence_and_the_one_spelling(code):
    found = set(recorded_actions(code))
    assert [action for action in sorted(found) if not SPELLING.fullmatch(action)] == []
    assert found >= {"mailbox.deleted", "mailbox.suspended", "membership.added"}  # it does look
    assert found - activity_words.WORDINGS.keys() == set()
    assert activity_words.WORDINGS.keys() - found == set()


def test_nobody_asks_for_acts_by_one_of_their_spellings_only(code):
    """`AuditEvent.objects.of(...)` knows them all; `filter(action=...)` would not find what an earlier release wrote."""
    asking = [
        ast.unparse(node)
        for node in code
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("filter", "exclude", "get", "Q")
        and any((keyword.arg or "").partition("__")[0] == "action" for keyword in node.keywords)
    ]
    allowed = {"self.filter(action__in=_spellings(actions))", "self.exclude(action__in=_spellings(actions))"}
    assert {asked for asked in asking if "ROLE_ACTIONS" not in asked} == allowed
