"""Whether the database itself keeps the audit trail, and from us as well: docs/database-roles.md."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError, connections

from tenants.upgrading import schemas, trail

from .answers import untold

# A table's owner, and who may act as the owner, can switch triggers off; superusers are owners of everything. The schema's
# owner can drop all in it, from PostgreSQL 15 on the database's; who may make things in it has its owner run them.
# As whom we have signed in, too, for a role that was taken on after that can be left again.
QUESTION = """
SELECT bool_or(pg_has_role(we, c.relowner, 'MEMBER')
    OR pg_has_role(we, n.nspowner, 'MEMBER') OR pg_has_role(we, d.datdba, 'MEMBER')
    OR has_schema_privilege(we, n.oid, 'CREATE') OR has_any_column_privilege(we, c.oid, 'UPDATE')
    OR has_table_privilege(we, c.oid, 'DELETE') OR has_table_privilege(we, c.oid, 'TRUNCATE')
    OR has_table_privilege(we, c.oid, 'TRIGGER'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_database d ON d.datname = current_database()
    CROSS JOIN (VALUES (current_user), (session_user)) AS us (we)
WHERE c.oid = to_regclass('public.tenants_auditevent')
"""


@register(Tags.database)
def the_trail_is_guarded(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs likewise. An error that keeps nobody from starting (tenants/unasked.py)."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        try:
            # What an earlier release lacks, its upgrade makes: that is another check's.
            faults = [] if schemas.public_is_behind() else trail.faults(alias)
        except DatabaseError as error:
            found += untold(connections[alias], error, "whether the audit trail is guarded")
            continue
        if faults:
            found.append(
                Error(
                    f"What keeps the audit trail from being changed is not as the portal made it: {'; '.join(faults)}.",
                    hint="`manage.py upgrade --public`, as the owner of the tables, puts it back; a rule, a trigger or a table of "
                    "somebody else's it may leave, for you to take away. What stands in the trail may have been changed meanwhile: "
                    "docs/database-roles.md, When its guards are off.",
                    id="gatehouse.E037",
                )
            )
    return found


@register(Tags.database)
def the_trail_is_out_of_reach(
    app_configs: Any, databases: Iterable[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Runs with `manage.py check --database default`. The embedded database has one role, and is for trying only."""
    if settings.DATABASE_IS_EMBEDDED:
        return []
    found: list[CheckMessage] = []
    for alias in databases or ():
        try:
            could = could_change_it(alias)
        except DatabaseError as error:
            found += untold(connections[alias], error, "whether its role could change the audit trail")
            continue
        if could:
            found.append(
                Warning(
                    "The database's role could change the audit trail.",
                    hint="Let one role own the tables and another one serve, as docs/database-roles.md shows.",
                    id="gatehouse.W002",
                )
            )
    return found


def could_change_it(alias: str = "default") -> bool:
    """As whom we are connected. False where there is no trail yet."""
    with connections[alias].cursor() as cursor:
        cursor.execute(QUESTION)
        row = cursor.fetchone()
    return bool(row and row[0])
