"""What keeps the audit trail as it is: triggers that refuse, made by migrations. Whether all of it still stands, and how it
is put back.

The tables' owner can switch triggers off, drop them, or have their function do something else, and nothing else in the portal
would notice: it only ever adds lines.
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
EACH_LINE = "tenants_audit_each_line_stays"
# As pg_trigger.tgtype says it: before anything is done, once for a statement or for each row. A statement that names another
# table, of which the trail was made a part, is none of the trail's, but its rows are.
BEFORE, INSERT, DELETE, UPDATE, TRUNCATE, EACH_ROW = 2, 4, 8, 16, 32, 1
TRIGGERS = {
    ONLY_GROWS: BEFORE | UPDATE | DELETE,
    EACH_LINE: BEFORE | UPDATE | DELETE | EACH_ROW,
    NOT_EMPTIED: BEFORE | TRUNCATE,
}
BODY = """
BEGIN
    RAISE EXCEPTION 'the audit trail only grows' USING ERRCODE = 'insufficient_privilege';
END
"""
FOUND = """
SELECT c.relkind, c.relrowsecurity, pg_has_role(current_user, c.relowner, 'USAGE'),
    current_setting('session_replication_role') = 'replica',
    ARRAY(SELECT r.rulename::text FROM pg_rewrite r WHERE r.ev_class = c.oid AND c.relkind = 'r' ORDER BY 1)
FROM pg_class c WHERE c.oid = to_regclass(%s)
"""
FOUND_TRIGGERS = """
SELECT t.tgname::text, t.tgtype, t.tgenabled IN ('O', 'A'), t.tgqual IS NULL AND t.tgattr::text = '' AND t.tgconstraint = 0
    AND t.tgfoid = to_regprocedure('public.tenants_audit_only_grows()')
FROM pg_trigger t WHERE t.tgrelid = to_regclass(%s) AND NOT t.tgisinternal ORDER BY 1
"""
FOUND_FUNCTION = """
SELECT p.prosrc, l.lanname = 'plpgsql' AND p.proconfig IS NULL FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
WHERE p.oid = to_regprocedure('public.tenants_audit_only_grows()')
"""
# Partitions as well. The tables of which it is a part, then those that are a part of it.
FOUND_RELATIVES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), i.inhparent = c.oid, c.relkind = 'p'
FROM pg_inherits i JOIN pg_class c ON c.oid IN (i.inhparent, i.inhrelid) JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE to_regclass(%s) IN (i.inhparent, i.inhrelid) AND c.oid <> to_regclass(%s) ORDER BY 2 DESC, 1
"""
PUT_BACK = (
    f"CREATE OR REPLACE FUNCTION public.tenants_audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $${BODY}$$",
    f"CREATE OR REPLACE TRIGGER {ONLY_GROWS} BEFORE UPDATE OR DELETE ON {TABLE}"
    " FOR EACH STATEMENT EXECUTE FUNCTION public.tenants_audit_only_grows()",
    f"CREATE OR REPLACE TRIGGER {EACH_LINE} BEFORE UPDATE OR DELETE ON {TABLE}"
    " FOR EACH ROW EXECUTE FUNCTION public.tenants_audit_only_grows()",
    f"CREATE OR REPLACE TRIGGER {NOT_EMPTIED} BEFORE TRUNCATE ON {TABLE}"
    " FOR EACH STATEMENT EXECUTE FUNCTION public.tenants_audit_only_grows()",
    f"ALTER TABLE {TABLE} {', '.join(f'ENABLE TRIGGER {name}' for name in TRIGGERS)}",
    f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY",
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
        triggers = {name: (what, is_on, is_ours) for name, what, is_on, is_ours in cursor.fetchall()}
        cursor.execute(FOUND_FUNCTION)
        function = cursor.fetchone()
        relatives = _relatives(cursor)
    found = [] if kind == "r" else [f"{TABLE} is no table"]
    for name, wanted in TRIGGERS.items():
        what, is_on, is_ours = triggers.pop(name, (0, False, False))
        if not what:
            found.append(f"the trigger {name} is missing")
        elif what != wanted or not is_ours:
            found.append(f"the trigger {name} is not the portal's")
        elif not is_on:
            found.append(f"the trigger {name} is switched off")
    if function != (BODY, True):
        what = "does something else" if function else "is missing"
        found.append(f"the function {ONLY_GROWS} {what}")
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
