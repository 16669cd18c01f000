"""The audit trail only grows."""

import json
import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils.timezone import localdate

from accounts.actors import SYSTEM
from mailboxes.backup import tools
from mailboxes.services import create_mailbox
from portal.checks.trail import the_trail_is_guarded
from portal.doctor.examination import Level, parts
from tenants import audit, details, starting, upgrading
from tenants.activity import PAGE_LENGTH
from tenants.activity import details as activity_details
from tenants.activity.words import shown
from tenants.errors import AppendOnly, TooMuchToTell
from tenants.management.commands.upgrade import Lines
from tenants.models import AuditEvent
from tests.cast import customer
from tests.mailboxes.backups import before_its_guards
from tests.roles import as_superuser, statements


@pytest.fixture
def event(cast, acme):
    return audit.record(
        "mailbox.created", by=cast.owner, customer=acme, target=("mailbox", uuid.uuid4(), "Journal")
    )


def test_an_event_says_who_what_and_where(cast, acme):
    token = audit.origin.set("192.0.2.7")
    try:
        event = audit.record(
            "mailbox.renamed", by=cast.owner, customer=acme, target=acme, data={"before": "A"}
        )
    finally:
        audit.origin.reset(token)
    event.refresh_from_db()
    assert (event.actor_id, event.actor_email) == (cast.owner.pk, cast.owner.email)
    assert (event.customer_id, event.provider_id) == (acme.pk, acme.provider_id)
    assert (event.target_type, event.target_id, event.target_name) == ("customer", str(acme.pk), "Acme")
    assert (event.action, event.origin, event.data) == ("mailbox.renamed", "192.0.2.7", {"before": "A"})


def test_the_system_itself_acts_without_person_or_origin(acme):
    event = audit.record("job.finished", customer=acme, by=SYSTEM)
    assert (event.actor_id, event.actor_email, event.origin) == (None, "", "")


@pytest.mark.parametrize(
    "action",
    ["mailbox.password_reset", "Mailbox.reset", "mailbox", "mailbox.", "mailbox.reset.now", "mailbox.-x"],
)
def test_there_is_one_spelling_of_actions(acme, action):
    with pytest.raises(ValueError, match="not the spelling"):
        audit.record(action, customer=acme, by=SYSTEM)
    assert not AuditEvent.objects.filter(customer_id=acme.pk, action=action).exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event.save(),
        lambda event: event.delete(),
        lambda event: AuditEvent.objects.filter(pk=event.pk).update(action="x"),
        lambda event: AuditEvent.objects.filter(pk=event.pk).delete(),
        lambda event: AuditEvent.objects.bulk_update([event], ["action"]),
    ],
)
def test_python_refuses_to_change_it(event, change):
    with pytest.raises(AppendOnly):
        change(event)


@pytest.mark.parametrize(
    "verb",
    [
        "UPDATE tenants_auditevent SET action = 'x'",
        "DELETE FROM tenants_auditevent",
        "TRUNCATE tenants_auditevent",
    ],
)
def test_the_database_refuses_too(event, verb):
    with (
        pytest.raises(DatabaseError, match="only grows"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(verb)
    assert AuditEvent.objects.get(pk=event.pk).action == "mailbox.created"


def test_a_new_object_with_an_old_id_is_no_way_round(event):
    with pytest.raises(DatabaseError), transaction.atomic():
        AuditEvent(pk=event.pk, action="x").save()


NOTHING = "RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
MADE = "CREATE FUNCTION public.elsewhere() " + NOTHING
PARENT = (
    "CREATE TABLE public.parent (id bigint NOT NULL, action varchar(60) NOT NULL); "
    "ALTER TABLE tenants_auditevent INHERIT public.parent"
)
SWITCHED_OFF = {
    "all": ("ALTER TABLE tenants_auditevent DISABLE TRIGGER ALL", "only_grows is switched off"),
    "one": (
        "ALTER TABLE tenants_auditevent DISABLE TRIGGER tenants_audit_is_not_emptied",
        "is_not_emptied is switched off",
    ),
    "for sessions": (
        "ALTER TABLE tenants_auditevent ENABLE REPLICA TRIGGER tenants_audit_only_grows",
        "only_grows is switched off",
    ),
    "dropped": ("DROP TRIGGER tenants_audit_only_grows ON tenants_auditevent", "only_grows is missing"),
    "with its function": (
        "DROP FUNCTION tenants_audit_only_grows() CASCADE",
        "function tenants_audit_only_grows is",
    ),
    "another body": (
        "CREATE OR REPLACE FUNCTION tenants_audit_only_grows() " + NOTHING,
        "function tenants_audit_only_grows does something else",
    ),
    "another function": (
        f"{MADE}; CREATE OR REPLACE TRIGGER tenants_audit_only_grows BEFORE UPDATE OR DELETE ON tenants_auditevent"
        " FOR EACH STATEMENT EXECUTE FUNCTION elsewhere()",
        "only_grows is not the portal's",
    ),
    "of a column": (
        "CREATE OR REPLACE TRIGGER tenants_audit_only_grows BEFORE DELETE OR UPDATE OF id ON tenants_auditevent"
        " FOR EACH STATEMENT EXECUTE FUNCTION tenants_audit_only_grows()",
        "only_grows is not the portal's",
    ),
    "sometimes": (
        "CREATE OR REPLACE TRIGGER tenants_audit_only_grows BEFORE DELETE OR UPDATE ON tenants_auditevent"
        " FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION tenants_audit_only_grows()",
        "only_grows is not the portal's",
    ),
    "less": (
        "CREATE OR REPLACE TRIGGER tenants_audit_only_grows BEFORE DELETE ON tenants_auditevent"
        " FOR EACH STATEMENT EXECUTE FUNCTION tenants_audit_only_grows()",
        "only_grows is not the portal's",
    ),
    "of each line": (
        "DROP TRIGGER tenants_audit_each_line_stays ON tenants_auditevent",
        "each_line_stays is missing",
    ),
    "as a part of another table": (
        f"{PARENT}; ALTER TABLE tenants_auditevent DISABLE TRIGGER ALL",
        "it is a part of public.parent, by which its lines can be reached",
    ),
    "of the number": (
        "DROP TRIGGER tenants_audit_next_number ON tenants_auditevent",
        "next_number is missing",
    ),
    "of the number, with another function": (
        "CREATE OR REPLACE TRIGGER tenants_audit_next_number BEFORE INSERT ON tenants_auditevent"
        " FOR EACH ROW EXECUTE FUNCTION tenants_audit_only_grows()",
        "next_number is not the portal's",
    ),
    "of the number, which looks elsewhere": (
        "ALTER FUNCTION tenants_audit_next_number() RESET search_path",
        "function tenants_audit_next_number does something else",
    ),
    "by somebody else's rights": (
        "ALTER FUNCTION tenants_audit_next_number() SECURITY DEFINER",
        "function tenants_audit_next_number does something else",
    ),
    "the check": (
        "ALTER TABLE tenants_auditevent DROP CONSTRAINT audit_event_can_be_read",
        "the check audit_event_can_be_read is missing",
    ),
    "another check": (
        "ALTER TABLE tenants_auditevent DROP CONSTRAINT audit_event_can_be_read, "
        "ADD CONSTRAINT audit_event_can_be_read CHECK (data IS NOT NULL)",
        "the check audit_event_can_be_read is not the portal's",
    ),
    "hidden": ("ALTER TABLE tenants_auditevent ENABLE ROW LEVEL SECURITY", "row level security hides"),
}
OF_SOMEBODY_ELSE = {
    "a rule": ("CREATE RULE away AS ON DELETE TO tenants_auditevent DO INSTEAD NOTHING", "the rule away"),
    "a trigger": (
        f"{MADE}; CREATE TRIGGER away BEFORE INSERT ON tenants_auditevent FOR EACH ROW EXECUTE FUNCTION elsewhere()",
        "the trigger away",
    ),
    "a table of lines": (
        "CREATE TABLE public.more () INHERITS (tenants_auditevent)",
        "public.more is a part of it, whose lines pass for its own",
    ),
    "a table that it is a partition of": (
        "ALTER TABLE tenants_auditevent ALTER id DROP IDENTITY; "
        "CREATE TABLE public.whole (LIKE tenants_auditevent) PARTITION BY RANGE (id); "
        "ALTER TABLE public.whole ATTACH PARTITION tenants_auditevent DEFAULT",
        "it is a part of public.whole, by which its lines can be reached",
    ),
}


def complaints():
    return [
        message.msg
        for message in the_trail_is_guarded(None, ["default"])
        if message.id == "gatehouse.E037" and "manage.py upgrade --public" in message.hint
    ]


def execute(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)


def as_made():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'tenants_auditevent'::regclass "
            "AND contype = 'c' UNION ALL "
            "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE proname LIKE 'tenants_audit_%' ORDER BY 1"
        )
        return cursor.fetchall()


def test_as_migrations_make_it_the_trail_is_guarded(db):
    assert complaints() == []


@pytest.mark.parametrize("way", SWITCHED_OFF)
def test_guards_of_the_trail_that_are_off_are_told_and_an_upgrade_puts_them_back(committed_db, caplog, way):
    done, told = SWITCHED_OFF[way]
    made = as_made()
    execute(done)
    (complaint,) = complaints()
    assert told in complaint
    report = upgrading.upgrade(Lines(), by=1, hold=1.0, public_only=True)
    assert not report.failed and complaints() == []
    assert as_made() == made, "as migrations have it"
    assert "what guards the audit trail was off, and is put back: " in caplog.text and told in caplog.text
    audit.record("job.finished", by=SYSTEM)
    for verb in (
        "UPDATE tenants_auditevent SET action = 'x'",
        "DELETE FROM tenants_auditevent",
        "TRUNCATE tenants_auditevent",
    ):
        with pytest.raises(DatabaseError, match="the audit trail only grows"):
            execute(verb)


@pytest.mark.parametrize(
    ("made", "table"),
    [(PARENT, "parent"), (OF_SOMEBODY_ELSE["a table that it is a partition of"][0], "whole")],
)
def test_lines_are_neither_changed_nor_deleted_through_another_table(event, made, table):
    """Of the trail's own triggers for statements nobody is asked then, but for TRUNCATE."""
    execute(made)
    for verb in (
        f"UPDATE public.{table} SET action = 'x'",
        f"UPDATE public.{table} SET id = id + 1000",
        f"DELETE FROM public.{table}",
        f"TRUNCATE public.{table}",
    ):
        with pytest.raises(DatabaseError, match="the audit trail only grows"), transaction.atomic():
            execute(verb)
    assert AuditEvent.objects.get(pk=event.pk).action == "mailbox.created"
    assert f"it is a part of public.{table}" in complaints()[0]


@pytest.mark.parametrize("way", OF_SOMEBODY_ELSE)
def test_what_keeps_lines_out_of_the_trail_is_told_and_left_to_who_knows_it(committed_db, caplog, way):
    done, told = OF_SOMEBODY_ELSE[way]
    execute(done)
    assert told in complaints()[0]
    upgrading.upgrade(Lines(), by=1, hold=1.0, public_only=True)
    assert told in complaints()[0]
    assert "what guards the audit trail is not whole yet" in caplog.text


def test_a_trail_without_guards_is_told_at_each_start_by_the_doctor_and_keeps_nobody_from_work(
    committed_db, caplog
):
    """Whoever can switch them off could else keep all mail out as well."""
    execute("ALTER TABLE tenants_auditevent DISABLE TRIGGER ALL")
    starting.refuse_unsafe_setup()
    [line] = [record for record in caplog.records if "gatehouse.E037" in record.getMessage()]
    assert line.levelname == "ERROR" and "switched off" in line.getMessage()
    assert [finding.level for finding in parts.checks() if finding.id == "gatehouse.E037"] == [Level.ERROR]


def test_of_an_earlier_release_nothing_is_said_but_that(db):
    execute("DELETE FROM public.django_migrations WHERE app = 'tenants' AND name LIKE '0009%'")
    execute("DROP TRIGGER tenants_audit_is_not_emptied ON tenants_auditevent")
    assert complaints() == []


# --- What nobody can delete, and has to be read ---
LINE = (
    "INSERT INTO public.tenants_auditevent (at, action, data, actor_email, target_type, target_id, target_name, origin, actor_side, "
    "customer_id, provider_id) VALUES ({at}, 'customer.changed', {data}, '', '', '', '', '', '', '{customer}', {provider})"
)
DEEP = "(repeat('{\"a\":[', 4500) || repeat(']}', 4500))::jsonb"
UNREADABLE = {
    "deep": {"data": DEEP},
    "too deep to be shown": {"data": "(repeat('{\"a\":', 300) || '1' || repeat('}', 300))::jsonb"},
    "too great": {"data": "'{\"a\": 1e9999}'"},
    "too great within a list": {"data": "'{\"a\": [-1e308]}'"},
    "no object": {"data": "'[]'"},
    "long": {"data": "jsonb_build_object('a', repeat('x', 256 * 1024))"},
    "of many parts": {"data": "('{\"a\":[' || repeat('[],', 5000) || '[]]}')::jsonb"},
    "of no day": {"at": "'infinity'"},
    "before all calendars": {"at": "'4000-01-01 BC'"},
    "after them": {"at": "'20000-01-01'"},
}
OF_DAYS_TO_COME = ("of no day", "after them")
OF_NO_CALENDAR = {"of no day": 9999, "before all calendars": 1, "after them": 9999}  # what is shown instead


def line(customer, *, at="now()", data="'{}'"):
    return LINE.format(at=at, data=data, customer=customer.pk, provider=customer.provider_id)


@pytest.mark.parametrize("what", UNREADABLE)
def test_whoever_may_write_lines_writes_none_that_nobody_can_read(application, acme, what):
    execute(line(acme))
    refusal = "is of now" if what in OF_NO_CALENDAR else "audit_event_can_be_read"
    with pytest.raises(DatabaseError, match=refusal):
        execute(line(acme, **UNREADABLE[what]))


LONGEST, EMPTY = 256 * 1024, '{"a": ""}'


def nested(levels, innermost="1", begins='{"a":', ends="}"):
    return begins * levels + innermost + ends * levels


@pytest.mark.parametrize(
    ("data", "is_taken"),
    [
        (nested(20), True),
        (nested(21), False),
        (nested(20, "{}"), True),
        (nested(20, '{"a": {}}'), False),
        ('{"a":' + nested(19, "1", "[", "]") + "}", True),
        ('{"a":' + nested(20, "1", "[", "]") + "}", False),
        ('{"a":' + nested(19, "1e300", "[", "]") + "}", False),
        ('{"a": [1, "1e400", {"b": -1e22}], "1e400": 1e-9999}', True),
        ('{"a": 1e300}', False),
        (f'{{"a": [{{"b": -1{"0" * 400}.5}}]}}', False),  # infinite to Python
        (f'{{"a": {2**63 - 1}}}', True),
        (f'{{"a": "{"x" * (LONGEST - len(EMPTY))}"}}', True),
        (f'{{"a": "{"x" * (LONGEST - len(EMPTY) + 1)}"}}', False),
        (f'{{"a": "{"é" * (LONGEST // 2)}"}}', False),
        ('{"a": [' + "1, " * 4997 + "1]}", True),
        ('{"a": [' + "1, " * 4999 + "1]}", False),
        ('{"a": [' + "{}, " * 2499 + "1]}", True),
        ('{"a": [' + "[], " * 2500 + "1]}", False),
    ],
)
def test_the_database_refuses_what_python_would_not_show_and_nothing_else(committed_db, acme, data, is_taken):
    written = line(acme, data=f"'{data}'")
    if is_taken:
        execute(written)
        assert AuditEvent.objects.latest("pk").data == json.loads(data)
    else:
        with pytest.raises(DatabaseError, match="audit_event_can_be_read"):
            execute(written)
        execute("ALTER TABLE tenants_auditevent DROP CONSTRAINT audit_event_can_be_read")
        execute(written)
        assert AuditEvent.objects.latest("pk").data == {}


@pytest.mark.parametrize(
    "what",
    ["deep", "too deep to be shown", "too great", "no object", "long", "of many parts", *OF_NO_CALENDAR],
)
def test_a_line_of_before_that_nobody_can_read_keeps_no_page_away(
    cast, acme, client_for, acme_mailbox, caplog, what
):
    details._tell.cache_clear()
    with before_its_guards():
        execute(line(acme, **UNREADABLE[what]))
    event = AuditEvent.objects.latest("pk")
    assert event.data == {}
    later = f"/activity/?since={localdate() + timedelta(days=1)}" if what in OF_DAYS_TO_COME else ""
    for client, page in (
        (client_for(cast.admin), later or "/activity/"),
        (client_for(cast.admin), "/activity/activity.csv"),
        (client_for(cast.admin), f"/mailboxes/{acme_mailbox.mailbox.pk}/"),
        (client_for(cast.owner, None), later or "/activity/"),
        (client_for(cast.staff, None), "/admin/tenants/auditevent/"),
        (client_for(cast.staff, None), f"/admin/tenants/auditevent/{event.pk}/change/"),
    ):
        answer = client.get(page)
        assert answer.status_code == 200
        said = b"".join(answer).decode()
        if "mailboxes" not in page:
            assert "The settings of the customer" in said
        if "activity" in page and page != later:
            assert "was created." in said, "what else happened"
    told = [record for record in caplog.records if "whose details nobody can read" in record.getMessage()]
    if what in OF_NO_CALENDAR:
        assert (event.at.year, told) == (OF_NO_CALENDAR[what], [])
    else:
        assert len(told) == 1 and told[0].levelname == "ERROR"


FRAME = 60_000  # octets of a page around its lines, and of the lines that the cast has
# As much as the database takes.
MUCH = {
    "lists": "('{\"a\":[' || repeat('[],', 2490) || '1]}')",
    "details": "(SELECT json_object_agg('key' || i, '') FROM generate_series(1, 4990) i)",
    "changes": "(SELECT json_build_object('after', json_object_agg('key' || i, '')) FROM generate_series(1, 4990) i)",
    "what was before": "(SELECT json_object_agg('key' || i || '_before', '') FROM generate_series(1, 4990) i)",
    "a text": "('{\"address\": \"' || repeat('&', 260000) || '\"}')",
    "a name": "('{\"' || repeat('&', 260000) || '\": 1}')",
}


@pytest.mark.parametrize("what", MUCH)
def test_a_page_full_of_lines_with_as_much_as_the_database_takes_is_shown_in_short(
    cast, acme, client_for, what
):
    """Nobody reads it, and somebody waits for it. Of most kinds a tenth of a page is held to a tenth of what a page may have."""
    part = 1 if what in ("details", "a text") else 10
    for _ in range(PAGE_LENGTH // part):
        execute(line(acme, data=f"{MUCH[what]}::text::jsonb"))
    octets = {}
    for page in ("/activity/", "/activity/activity.csv"):
        answer = client_for(cast.admin).get(page)
        assert answer.status_code == 200
        octets[page] = len(b"".join(answer))
    assert octets["/activity/"] < 2_000_000 / part + FRAME, octets
    assert octets["/activity/activity.csv"] < 1_000_000 / part + FRAME, octets


def test_of_many_parts_the_first_are_shown_and_how_many_there_are_more():
    assert shown("customers", ["a"] * 1000).endswith("a, a")
    assert shown("customers", ["a"] * 1234).endswith("a, a, and 234 more")
    assert shown("x", [["a"] * 997, ["b"], ["c"]]).endswith("a, b, and 1 more")
    assert shown("x", {str(number): 1 for number in range(1001)}).endswith("; 999: 1; and 1 more")
    assert shown("name", "x" * 2501) == "x" * 2500 + "…"


@pytest.mark.parametrize(
    "data", [{"a": "x" * LONGEST}, {"a": ["x"] * 5001}, {"a": "é" * (LONGEST // 2)}, {"a": [{}] * 2501}]
)
def test_an_act_with_more_to_tell_than_a_line_holds_is_refused_in_words(acme, data):
    with pytest.raises(TooMuchToTell, match="Do it in several steps"):
        audit.record("customer.changed", by=SYSTEM, customer=acme, data=data)


def test_what_no_database_takes_is_told_with_a_mark_in_its_place(acme):
    data = {"a\ud83d": ["\udcff", {"b": ("x\0", 1, None)}]}
    event = audit.record(
        "probe.acted", by=SYSTEM, customer=acme, target=("probe", "\0", "J\ud800"), data=data
    )
    event.refresh_from_db()
    assert event.data == {"a\ufffd": ["\ufffd", {"b": ["x\ufffd", 1, None]}]}
    assert (event.target_id, event.target_name) == ("\ufffd", "J\ufffd")


def test_a_limit_to_a_thousand_customers_is_told(acme):
    slugs = [f"{number:040}" for number in range(1000)]
    event = audit.record(
        "membership.changed",
        by=SYSTEM,
        customer=acme,
        data={"customers": slugs, "customers_before": slugs[:1]},
    )
    event.refresh_from_db()
    assert event.data["customers"] == slugs
    (detail,) = activity_details(event)[:1]
    assert slugs[-1] in detail.value and "more" not in detail.value


# --- Numbers ---
COLUMNS = "at, action, data, actor_email, target_type, target_id, target_name, origin, actor_side"
VALUES = "now(), 'x.y', '{}'::jsonb, '', '', '', '', '', ''"
ROWS = {
    "one": f"INSERT INTO tenants_auditevent ({COLUMNS}) VALUES ({VALUES})",
    "many": f"INSERT INTO tenants_auditevent ({COLUMNS}) VALUES ({VALUES}), ({VALUES}), ({VALUES})",
    "by default": f"INSERT INTO tenants_auditevent (id, {COLUMNS}) VALUES (DEFAULT, {VALUES}), (DEFAULT, {VALUES})",
    "sorted": f"INSERT INTO tenants_auditevent ({COLUMNS}) SELECT {VALUES} FROM generate_series(1, 500) i ORDER BY random()",
    "its own": f"INSERT INTO tenants_auditevent ({COLUMNS}) SELECT {COLUMNS} FROM tenants_auditevent "
    f"UNION ALL SELECT {COLUMNS} FROM tenants_auditevent",
    "within": f"WITH new AS (INSERT INTO tenants_auditevent ({COLUMNS}) SELECT {VALUES} FROM generate_series(1, 9) RETURNING id) "
    "SELECT count(*) FROM new",
}


@pytest.mark.parametrize("way", [*ROWS, "bulk_create", "COPY"])
def test_lines_get_their_numbers_whichever_way_they_come(event, way):
    before = AuditEvent.objects.count()
    if way == "bulk_create":
        AuditEvent.objects.bulk_create(AuditEvent(action="x.y") for _ in range(300))
    elif way == "COPY":
        copying = f"COPY tenants_auditevent ({COLUMNS}) FROM STDIN"
        with connection.cursor() as cursor, cursor.copy(copying) as copy:
            for _ in range(2000):
                copy.write_row(["now", "x.y", "{}", *[""] * 6])
    else:
        execute(ROWS[way])
    added = AuditEvent.objects.count() - before
    numbers = AuditEvent.objects.order_by("-pk").values_list("pk", flat=True)[: added + 1]
    assert added and list(numbers) == list(range(numbers[0], numbers[0] - added - 1, -1))


@pytest.mark.parametrize(
    "number",
    [
        "(SELECT max(id) FROM public.tenants_auditevent) + i",
        "9000000000000000000 + i",
        "-i",
        "currval('public.tenants_auditevent_id_seq') + i",
        "NULL",
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_whoever_may_write_lines_takes_no_number_that_is_somebody_elses(application, acme, number, is_first):
    if not is_first:
        audit.record("job.finished", customer=acme, by=SYSTEM)
    if is_first:
        connection.close()  # and with it a session that has been given one
    with pytest.raises(DatabaseError, match="the next number of its sequence|not yet defined"):
        execute(
            f"INSERT INTO public.tenants_auditevent (id, {COLUMNS}) SELECT {number}, {VALUES} FROM generate_series(1, 500) i"
        )
    create_mailbox(customer("acme"), name="Journal", by=SYSTEM)


def test_a_number_that_somebody_kept_for_later_is_no_lines(application, acme):
    """It would say that the line was written before others."""
    with tools.connect() as another:
        (kept,) = another.execute("SELECT nextval('public.tenants_auditevent_id_seq')").fetchone()
        act = audit.record("customer.changed", by=SYSTEM, customer=acme)
        late = f"INSERT INTO public.tenants_auditevent (id, {COLUMNS}) VALUES ({kept}, {VALUES}) RETURNING id"
        (number,) = another.execute(late.encode()).fetchone()
    assert kept < act.pk < number


@pytest.mark.parametrize("at", ["now() + interval '25 hours'", "now() - interval '25 hours'", "'2999-12-31'"])
def test_whoever_may_write_lines_writes_none_of_other_days(application, acme, at):
    execute(line(acme, at="now() + interval '23 hours'"))  # as where a machine's clock is wrong by hours
    with pytest.raises(DatabaseError, match="is of now: the clock of this machine"):
        execute(line(acme, at=at))


def test_lines_of_days_to_come_of_before_stand_before_no_act(cast, acme, client_for):
    with before_its_guards() as cursor:
        cursor.execute(
            f"INSERT INTO tenants_auditevent ({COLUMNS}, customer_id) SELECT {VALUES}, %s FROM generate_series(1, %s)".replace(
                "now()", "'2999-12-30'"
            ),
            [acme.pk, PAGE_LENGTH],
        )
    audit.record("mailbox.created", by=SYSTEM, customer=acme, target=("mailbox", "x", "Journal"))
    visit = client_for(cast.admin).get
    for question in ("", "?since=2026-01-01"):
        said = visit(f"/activity/{question}").content.decode()
        assert "was created." in said and "2999" not in said
    for path in ("/activity/?since=2999-01-01", "/activity/activity.csv"):
        assert "2999" in b"".join(visit(path)).decode()


@pytest.mark.parametrize(
    "data", ['{"customers": [[1]]}', '{"customers_before": [{}]}', '{"certificate": [1], "role": {}}']
)
def test_details_of_another_kind_than_ours_keep_no_page_away(cast, acme, client_for, data):
    execute(line(acme, data=f"'{data}'"))
    for client in (client_for(cast.admin), client_for(cast.owner, None)):
        for page in ("/activity/", "/activity/activity.csv"):
            answer = client.get(page)
            assert answer.status_code == 200
            assert "The settings of the customer" in b"".join(answer).decode()


@pytest.mark.parametrize("what", UNREADABLE)
def test_the_documents_query_finds_a_line_that_nobody_can_read(application, acme, what):
    as_superuser(
        "ALTER TABLE public.tenants_auditevent DROP CONSTRAINT audit_event_can_be_read, DISABLE TRIGGER USER"
    )
    execute(line(acme))
    execute(line(acme, **UNREADABLE[what]))
    with connection.cursor() as cursor:
        for statement in statements("which they are").rstrip().rstrip(";").split(";"):
            cursor.execute(statement)
        found = [row[0] for row in cursor.fetchall()]
        cursor.execute("SET search_path = public")
    assert found == [AuditEvent.objects.latest("pk").pk]
