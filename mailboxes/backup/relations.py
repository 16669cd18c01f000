"""What has rows in a schema, or looks as if it had, and whether a dump may read it. Asked of the database's catalogs."""

from collections.abc import Collection
from typing import Any, LiteralString, NamedTuple

import psycopg

from mailboxes.backup.judging import SCHEMA
from tenants.upgrading.schemas import PUBLIC
from tenants.whose import may_all

PLAIN = "r"
# Tables of which an index, a statistic, a default or a constraint calls what is not PostgreSQL's own (whose oids begin at 16384).
# Whoever only plans a question about such a table may run it: it could end everybody's backup, or have the look see nothing.
CALLING: LiteralString = """
SELECT calling.relation FROM pg_depend d CROSS JOIN LATERAL (
    SELECT indrelid FROM pg_index WHERE d.classid = 'pg_class'::regclass AND indexrelid = d.objid
    UNION ALL SELECT stxrelid FROM pg_statistic_ext WHERE d.classid = 'pg_statistic_ext'::regclass AND oid = d.objid
    UNION ALL SELECT adrelid FROM pg_attrdef WHERE d.classid = 'pg_attrdef'::regclass AND oid = d.objid
    UNION ALL SELECT conrelid FROM pg_constraint WHERE d.classid = 'pg_constraint'::regclass AND oid = d.objid
) AS calling(relation)
WHERE d.refobjid >= 16384
    AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass, 'pg_opfamily'::regclass)
"""
# Relations that have rows, or look as if they had. A child of ours may lie anywhere.
RELATIONS: LiteralString = f"""
SELECT n.nspname::text, c.relname::text, c.relkind::text,
    {may_all("n.nspowner")}, {may_all("c.relowner")},
    has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE'), c.relkind IN ('r', 'p') AND row_security_active(c.oid),
    (SELECT coalesce(json_object_agg(attname, format_type(atttypid, atttypmod)), '{{}}') FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped),
    ARRAY(
        SELECT m.nspname || '.' || k.relname FROM pg_inherits i JOIN pg_class k ON k.oid = i.inhrelid
        JOIN pg_namespace m ON m.oid = k.relnamespace WHERE i.inhparent = c.oid AND m.oid <> n.oid ORDER BY 1),
    c.oid IN ({CALLING})
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1, 2
"""  # noqa: S608 - a constant
MOST_RELATIONS = 1000  # of a schema: a dump locks each
# What is copied early is what these say.
WITH_MESSAGES = ("mailboxes_message", "mailboxes_mailboxkey")
KINDS = {"p": "a partitioned table", "v": "a view", "m": "a materialized view", "f": "a foreign table"}


class Relation(NamedTuple):
    """What has a name in a schema."""

    schema: str
    name: str
    kind: str
    is_in_a_schema_of_ours: bool
    is_ours_to_run: bool
    may_be_read: bool
    hides_rows: bool
    columns: dict[str, str]  # and their types
    children_elsewhere: list[str]
    calls_what_is_strange: bool


def by_schema(reader: "psycopg.Connection[Any]", names: Collection[str]) -> dict[str, dict[str, Relation]]:
    """Of `public`, and of schemas whose name may be a customer's."""
    found: dict[str, dict[str, Relation]] = {
        name: {} for name in names if name == PUBLIC or SCHEMA.fullmatch(name)
    }
    for row in reader.execute(RELATIONS, [list(found)]):
        relation = Relation(*row)
        found[relation.schema][relation.name] = relation
    return found


def readable(reader: "psycopg.Connection[Any]", names: Collection[str]) -> set[str]:
    """Of these schemas, in the reader's transaction, those whose messages are in plain tables, and whoever reads them runs
    nothing that is another's. Raises psycopg.Error.
    """
    return {
        schema
        for schema, relations in by_schema(reader, names).items()
        if not unreadable(relations)
        and all(name in relations and relations[name].kind == PLAIN for name in WITH_MESSAGES)
    }


def unreadable(relations: dict[str, Relation]) -> str:
    """Why these can't be dumped, or run what is another's."""
    if len(relations) > MOST_RELATIONS:
        return f"it has more than {MOST_RELATIONS} tables and views"
    for relation in relations.values():
        if relation.kind not in (PLAIN, "p"):
            continue  # of which no rows are dumped
        # Whose owner may put anything else in its place, at any moment.
        if not relation.is_in_a_schema_of_ours:
            return "its schema belongs to a role that may do less than ours"
        if not relation.is_ours_to_run:
            return f"the table {relation.name} belongs to a role that may do less than ours"
        if not relation.may_be_read:
            return f"the table {relation.name} may not be read by ours"
        if relation.hides_rows:
            return f"row level security hides rows of {relation.name}"
        if relation.calls_what_is_strange and relation.schema != PUBLIC:  # whose owner is nobody's to doubt
            return f"an index, a check or the like of {relation.name} calls a function that is not PostgreSQL's own"
    return ""
