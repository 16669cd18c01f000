"""What keeps the audit trail as it is: triggers and a check that refuse, made by migrations. Whether all of it still stands,
and how it is put back.

The tables' owner can switch triggers off, drop them or the check, or have their functions do something else, and nothing else
in the portal would notice: it only ever adds lines.
"""

import logging
import random
import time
from typing import Any, NamedTuple

from django.db import OperationalError, connection, connections, transaction

from tenants.upgrading.short_locks import ShortLocks

log = logging.getLogger(__name__)

TABLE = "public.tenants_auditevent"
ONLY_GROWS, NOT_EMPTIED = "tenants_audit_only_grows", "tenants_audit_is_not_emptied"
EACH_LINE, NEXT_NUMBER = "tenants_audit_each_line_stays", "tenants_audit_next_number"
CAN_BE_READ = "audit_event_can_be_read"
# As pg_trigger.tgtype says it: before anything is done, once for a statement or for each row. A statement that names another
# table, of which the trail was made a part, is none of the trail's, but its rows are.
BEFORE, INSERT, DELETE, UPDATE, TRUNCATE, EACH_ROW = 2, 4, 8, 16, 32, 1
TRIGGERS = {  # with their functions
    ONLY_GROWS: (BEFORE | UPDATE | DELETE, ONLY_GROWS),
    EACH_LINE: (BEFORE | UPDATE | DELETE | EACH_ROW, ONLY_GROWS),
    NOT_EMPTIED: (BEFORE | TRUNCATE, ONLY_GROWS),
    NEXT_NUMBER: (BEFORE | INSERT | EACH_ROW, NEXT_NUMBER),
}
ORDINARY, PINNED = "", " SET search_path = pg_catalog, pg_temp"
FUNCTIONS = {  # what they are made with, and do: as migrations have it
    ONLY_GROWS: (
        ORDINARY,
        """
BEGIN
    RAISE EXCEPTION 'the audit trail only grows' USING ERRCODE = 'insufficient_privilege';
END
""",
    ),
    NEXT_NUMBER: (
        PINNED,
        """
BEGIN
    IF NEW.at NOT BETWEEN clock_timestamp() - interval '1 day' AND clock_timestamp() + interval '1 day' THEN
        RAISE EXCEPTION 'a line of the audit trail is of now: the clock of this machine or that of the database is a day off'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.id IS DISTINCT FROM currval('public.tenants_auditevent_id_seq') THEN
        RAISE EXCEPTION 'a line of the audit trail has the next number of its sequence'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NEW.id <> pg_sequence_last_value('public.tenants_auditevent_id_seq') THEN
        NEW.id := nextval('public.tenants_auditevent_id_seq');
    END IF;
    RETURN NEW;
EXCEPTION WHEN object_not_in_prerequisite_state THEN  -- it has given none in this session
    RAISE EXCEPTION 'a line of the audit trail has the next number of its sequence' USING ERRCODE = 'insufficient_privilege';
END
""",
    ),
}
CHECK = """CHECK (
    jsonb_typeof(data) = 'object' AND octet_length(data::text) <= 262144
    AND length(data::text) - length(translate(data::text, ',[{', '')) <= 5000
    AND NOT jsonb_path_exists(data, '$.**{21}')
    AND NOT jsonb_path_exists(data, 'strict $.**{0 to 20} ? (@ >= 1e300 || @ <= -1e300)')
    AND at >= '2000-01-01 00:00:00+00' AND at < '3000-01-01 00:00:00+00'
) NOT VALID"""
FOUND = """
SELECT c.relkind, c.relrowsecurity, pg_has_role(current_user, c.relowner, 'USAGE'),
    current_setting('session_replication_role') = 'replica',
    ARRAY(SELECT r.rulename::text FROM pg_rewrite r WHERE r.ev_class = c.oid AND c.relkind = 'r' ORDER BY 1)
FROM pg_class c WHERE c.oid = to_regclass(%s)
"""
FOUND_TRIGGERS = """
SELECT t.tgname::text, t.tgtype, t.tgenabled IN ('O', 'A'), t.tgqual IS NULL AND t.tgattr::text = '' AND t.tgconstraint = 0,
    CASE p.pronamespace WHEN 'public'::regnamespace THEN p.proname::text END
FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = to_regclass(%s) AND NOT t.tgisinternal ORDER BY 1
"""
FOUND_FUNCTION = """
SELECT CASE WHEN l.lanname = 'plpgsql' AND NOT p.prosecdef THEN
    coalesce(' SET ' || replace(array_to_string(p.proconfig, ', '), '=', ' = '), '') END, p.prosrc
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.oid = to_regprocedure(%s)
"""
# Which columns it is about: what it says of them each server words in its own way. From PostgreSQL 18 on one may be off.
FOUND_CHECK = """
SELECT ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) ORDER BY 1)
    = ARRAY['at', 'data'], coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
FROM pg_constraint k WHERE k.conrelid = to_regclass(%s) AND k.contype = 'c' AND k.conname = %s
"""
# Partitions as well. The tables of which it is a part, then those that are a part of it.
FOUND_RELATIVES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), i.inhparent = c.oid, c.relkind = 'p'
FROM pg_inherits i JOIN pg_class c ON c.oid IN (i.inhparent, i.inhrelid) JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE to_regclass(%s) IN (i.inhparent, i.inhrelid) AND c.oid <> to_regclass(%s) ORDER BY 2 DESC, 1
"""
PUT_BACK = (
    *(
        f"CREATE OR REPLACE FUNCTION public.{name}() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER{made} AS $${body}$$"
        for name, (made, body) in FUNCTIONS.items()
    ),
    f"CREATE OR REPLACE TRIGGER {ONLY_GROWS} BEFORE UPDATE OR DELETE ON {TABLE}"
    f" FOR EACH STATEMENT EXECUTE FUNCTION public.{ONLY_GROWS}()",
    f"CREATE OR REPLACE TRIGGER {EACH_LINE} BEFORE UPDATE OR DELETE ON {TABLE}"
    f" FOR EACH ROW EXECUTE FUNCTION public.{ONLY_GROWS}()",
    f"CREATE OR REPLACE TRIGGER {NOT_EMPTIED} BEFORE TRUNCATE ON {TABLE}"
    f" FOR EACH STATEMENT EXECUTE FUNCTION public.{ONLY_GROWS}()",
    f"CREATE OR REPLACE TRIGGER {NEXT_NUMBER} BEFORE INSERT ON {TABLE}"
    f" FOR EACH ROW EXECUTE FUNCTION public.{NEXT_NUMBER}()",
    f"ALTER TABLE {TABLE} {', '.join(f'ENABLE TRIGGER {name}' for name in TRIGGERS)}",
    f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY",
    f"ALTER TABLE {TABLE} DROP CONSTRAINT IF EXISTS {CAN_BE_READ}, ADD CONSTRAINT {CAN_BE_READ} {CHECK}",
)
ATTEMPTS, PAUSE_SECONDS = 30, 1.0  # as of a migration


def faults(alias: str = "default") -> list[str]:
    """What of it does not stand, each as a part of a sentence. Nothing where there is no trail yet."""
    with connections[alias].cursor() as cursor:
        cursor.execute(FOUND, [TABLE])
        if (row := cursor.fetchone()) is None:
            return []
        kind, hides_rows, _, triggers_are_off, rules = row
        cursor.execute(FOUND_TRIGGERS, [TABLE])
        triggers = {name: found for name, *found in cursor.fetchall()}
        functions = {name: _function(cursor, name) for name in FUNCTIONS}
        cursor.execute(FOUND_CHECK, [TABLE, CAN_BE_READ])
        check = cursor.fetchone()
        relatives = _relatives(cursor)
    found = [] if kind == "r" else [f"{TABLE} is no table"]
    for name, (wanted, its_function) in TRIGGERS.items():
        what, is_on, is_plain, function = triggers.pop(name, (0, False, False, ""))
        if not what:
            found.append(f"the trigger {name} is missing")
        elif (what, is_plain, function) != (wanted, True, its_function):
            found.append(f"the trigger {name} is not the portal's")
        elif not is_on:
            found.append(f"the trigger {name} is switched off")
    for name, as_made in FUNCTIONS.items():
        if functions[name] != as_made:
            found.append(f"the function {name} {'does something else' if functions[name] else 'is missing'}")
    if check is None:
        found.append(f"the check {CAN_BE_READ} is missing")
    elif check != (True, True):
        found.append(f"the check {CAN_BE_READ} is not the portal's")
    if triggers_are_off:
        found.append("session_replication_role is replica, with which no trigger of a session works")
    # What would keep lines out of the trail, or from being seen.
    swallowing = [
        name
        for name, (what, *_) in triggers.items()
        if what & INSERT and what & (EACH_ROW | BEFORE) == EACH_ROW | BEFORE
    ]
    found += [
        f"the trigger {name}, which is not the portal's, comes before each new line" for name in swallowing
    ]
    found += [
        f"the rule {name}, which is not the portal's, takes the place of what is done to it" for name in rules
    ]
    if hides_rows:
        found.append("row level security hides lines")
    return found + [
        f"it is a part of {one.name}, by which its lines can be reached"
        if one.is_parent
        else f"{one.name} is a part of it, whose lines pass for its own"
        for one in relatives
    ]


def _function(cursor: Any, name: str) -> Any:
    """What it is made with, and does; None where there is none."""
    cursor.execute(FOUND_FUNCTION, [f"public.{name}()"])
    return cursor.fetchone()


class _Relative(NamedTuple):
    """A table of somebody else's that shares lines with the trail."""

    name: str  # as statements have it
    is_parent: bool
    is_partitioned: bool


def _relatives(cursor: Any) -> list[_Relative]:
    cursor.execute(FOUND_RELATIVES, [TABLE, TABLE])
    return [_Relative(*row) for row in cursor.fetchall()]


def put_back(*, hold: float) -> None:
    """As its owner; whoever is not leaves it, and the checks have said so. No longer than `hold` seconds at a time.

    A rule or trigger of somebody else's stays, and so does a table that is a part of the trail or was made of such parts:
    nobody knows what it is for, and it may belong to another role. Raises OperationalError when others hold the
    trail for too long.
    """
    before = faults()
    if not before or not _is_owner():
        return
    for attempt in range(ATTEMPTS):
        try:
            with (
                transaction.atomic(),
                connection.execute_wrapper(ShortLocks(hold)),
                connection.cursor() as cursor,
            ):
                parents = [
                    f"ALTER TABLE {TABLE} NO INHERIT {one.name}"
                    for one in _relatives(cursor)
                    if one.is_parent and not one.is_partitioned
                ]
                for statement in (*PUT_BACK, *parents):
                    cursor.execute(statement)
            break
        except OperationalError:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(PAUSE_SECONDS * random.uniform(0.5, 1))  # noqa: S311 - no secret
    log.error("what guards the audit trail was off, and is put back: %s", "; ".join(before))
    if left := faults():
        log.error(
            "what guards the audit trail is not whole yet, for somebody else's stands there: %s",
            "; ".join(left),
        )


def _is_owner() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(FOUND, [TABLE])
        return bool(cursor.fetchone()[2])
