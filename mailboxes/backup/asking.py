"""What the rows of one schema are asked before they are dumped: what of them no restore would bring. Whatever the server says to
a question instead of an answer is what is said of that schema.
"""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from mailboxes.backup import judging, rows, tools
from mailboxes.backup.judging import ADDRESS, PAIR
from mailboxes.backup.loading import MOST_SERIALS
from mailboxes.backup.relations import Relation
from mailboxes.backup.tables import Columns, Migrations, references, with_serials
from mailboxes.models import Mailbox, MailboxKey
from tenants.away import is_away

# Whether a row is longer than so many octets. Escaped in a dump, a text takes up to twice what it has, and octets of a bytea do
# as two digits each; the rest of the room is for the other columns.
LONG = sql.SQL("SELECT EXISTS (SELECT FROM ONLY {} WHERE {octets} > %s)")
MOST_OCTETS = rows.LINE_OCTETS // 4
LONGER = "it is too long"
DUMP_OCTETS = 500_000_000  # a dump takes a row of 1 GB, in which each may be two
# A text is measured only where it takes more than a thousand octets as it is stored: below that, compressed as it may be, it
# has less than a quarter of a million. JSON has no such bound (a number of a hundred thousand digits is stored in a few
# octets), and only as a text that is read again does it show whether the server reads what it writes.
OCTETS = {
    "text": sql.SQL("CASE WHEN pg_column_size({0}) > 1000 THEN octet_length({0}) ELSE 0 END"),
    "bytea": sql.SQL("CASE WHEN pg_column_size({0}) > 1000 THEN octet_length({0}) ELSE 0 END"),
    "jsonb": sql.SQL("coalesce(octet_length({0}::text::jsonb::text), 0)"),
}
AS_WRITTEN = OCTETS | {"jsonb": sql.SQL("coalesce(octet_length({0}::text), 0)")}
# Of a customer's mailboxes that take mail or soon will again, in the transaction that wrote the customer's own row of each.
NOT_THERE = sql.SQL("""
SELECT count(*) FROM public.tenants_directoryentry entry JOIN public.tenants_customer customer ON customer.id = entry.customer_id
WHERE customer.schema_name = %s AND entry.status IN ('active', 'suspended')
    AND NOT EXISTS (SELECT FROM ONLY {}.mailboxes_mailbox mailbox WHERE mailbox.id = entry.mailbox_id)
""")
# What keeps one customer from being brought back alone (judging.require_mailbox and require_key, and who looks at them). A
# thousand pairs have 74,000 letters; PostgreSQL counts no further than 255 repetitions.
REFUSED = sql.SQL("""
SELECT what, count(*) FROM (
    SELECT CASE WHEN (address ~ {address}) IS NOT TRUE THEN 'mailboxes without a proper address'
        WHEN (status = ANY ({statuses})) IS NOT TRUE THEN 'mailboxes without a proper status'
        WHEN status <> {deleting} AND NOT EXISTS (
            SELECT FROM ONLY {schema}.mailboxes_mailboxkey key WHERE key.mailbox_id = mailbox.id AND key.state = {current})
            THEN 'mailboxes without a current key' END
    FROM ONLY {schema}.mailboxes_mailbox mailbox
    UNION ALL
    SELECT CASE WHEN (id > 0 AND state = ANY ({states}) AND {names_before}) IS NOT TRUE THEN 'keys that no release has written' END
    FROM ONLY {schema}.mailboxes_mailboxkey
    UNION ALL
    SELECT CASE WHEN starts_with(blob, replace(customer.id || '/' || message.mailbox_id || '/', '-', '')) IS NOT TRUE
        THEN 'messages whose names are of another mailbox' END
    FROM ONLY {schema}.mailboxes_message message JOIN ONLY {schema}.mailboxes_mailboxkey key ON key.id = message.key_id
    JOIN public.tenants_customer customer ON customer.schema_name = {name}
    WHERE key.state <> {destroyed}
) AS found(what) WHERE what IS NOT NULL GROUP BY what ORDER BY what
""")
NAMES_BEFORE = sql.SQL(
    "CASE WHEN octet_length(sealed_as::text) <= 74000 THEN sealed_as::text ~ {} ELSE false END"
).format(rf"^\[({PAIR}(, {PAIR})*)?\]$")
# A reference holds for what was seen when it was made: row level security may have hidden rows that refer to nothing.
TO_NOTHING = sql.SQL(
    "CASE WHEN EXISTS (SELECT FROM ONLY {} c WHERE c.{column} IS NOT NULL"
    " AND NOT EXISTS (SELECT FROM ONLY {} p WHERE p.{} = c.{column})) THEN {said} END"
)
WITHOUT_LOCK = sql.SQL(f"CASE WHEN EXISTS (SELECT {judging.UNOPENED}) THEN {{said}} END")
# As loading.begin_behind puts the sequence behind the last of them.
NO_IDS = sql.SQL("CASE WHEN (SELECT max(id) NOT BETWEEN 1 AND {most} FROM ONLY {}) THEN {said} END")


def ask(
    reader: "psycopg.Connection[Any]", query: sql.Composed, values: Iterable[Any] = ()
) -> tuple[list[tuple[Any, ...]], str]:
    """The rows that it finds, or why the server finds none. Raises psycopg.Error where the server is away."""
    try:
        with reader.transaction():
            return reader.execute(query, list(values) or None).fetchall(), ""
    except psycopg.Error as error:
        if is_away(error):
            raise
        return [], tools.first_line(error)


def lacks(reader: "psycopg.Connection[Any]", schema: str) -> str:
    """Where another schema stands in a lost one's place, it has all tables, and none of the mailboxes."""
    found, why = ask(reader, NOT_THERE.format(sql.Identifier(schema)), [schema])
    if why:
        return f"its mailboxes can't be compared with the directory: {why}"
    number = found[0][0]
    if not number:
        return ""
    return f"{number} of the mailboxes that the directory has {'is' if number == 1 else 'are'} not there"


def refused(reader: "psycopg.Connection[Any]", schema: str, known: Columns) -> list[str]:
    """What of its mailboxes, keys and messages nobody brings back who brings this customer alone."""
    query = REFUSED.format(
        schema=sql.Identifier(schema),
        address=f"^({ADDRESS.pattern})$",
        statuses=list(Mailbox.Status.values),
        deleting=Mailbox.Status.DELETING.value,
        states=list(MailboxKey.State.values),
        current=MailboxKey.State.CURRENT.value,
        destroyed=MailboxKey.State.DESTROYED.value,
        name=schema,
        names_before=NAMES_BEFORE if "sealed_as" in known["mailboxes_mailboxkey"] else sql.SQL("true"),
    )
    found, why = ask(reader, query)
    if why:
        return [f"{schema}: its mailboxes can't be looked at: {why}"]
    return [
        f"{schema}: it has {what} ({number}), with which restore --customer would refuse it"
        for what, number in found
    ]


def in_the_air(reader: "psycopg.Connection[Any]", schema: str, applied: Migrations) -> list[str]:
    """Rows that refer to nothing, and ids, which no restore takes; and keys that nobody opens."""
    each = [
        TO_NOTHING.format(
            sql.Identifier(schema, table),
            sql.Identifier(schema, referred),
            sql.Identifier(key),
            column=sql.Identifier(column),
            said=sql.Literal(f"rows of {table} refer to nothing by {column}"),
        )
        for table, column, referred, key in references(applied)
    ]
    each += [
        NO_IDS.format(
            sql.Identifier(schema, table),
            most=sql.Literal(MOST_SERIALS),
            said=sql.Literal(f"rows of {table} have ids that no restore takes"),
        )
        for table in with_serials(applied)
    ]
    said = sql.Literal("no password opens a key of a mailbox")
    each.append(WITHOUT_LOCK.format(schema=sql.Identifier(schema), said=said))
    query = sql.SQL("SELECT array_remove(ARRAY[{}]::text[], NULL)").format(sql.SQL(", ").join(each))
    found, why = ask(reader, query)
    return list(found[0][0]) if found else [f"what its rows refer to can't be asked: {why}"]


def too_long(
    reader: "psycopg.Connection[Any]", schema: str, known: Columns, relations: dict[str, Relation]
) -> tuple[list[str], list[str]]:
    """Tables with a row that no restore reads: it takes no line of more than rows.LINE_OCTETS, and no JSON that the server
    does not read again. And those with a row that no dump takes.
    """
    found, no_dump_takes = [], []
    for name, columns in known.items():
        measured = [
            (column, kind)
            for column, kind in columns.items()
            if kind in OCTETS and relations[name].columns.get(column) == kind
        ]
        table = sql.Identifier(schema, name)
        if not measured or not (trouble := _longer(reader, table, measured, OCTETS, MOST_OCTETS)):
            continue
        if why := _longer(reader, table, measured, AS_WRITTEN, DUMP_OCTETS):
            no_dump_takes.append(f"{schema}.{name} has a row that no dump takes: {why}")
        elif trouble == LONGER:
            found.append(f"{schema}.{name} has a row that is too long for a restore")
        else:
            found.append(f"{schema}.{name} has a row that can't be read: {trouble}")
    return found, no_dump_takes


def _longer(
    reader: "psycopg.Connection[Any]",
    table: sql.Identifier,
    columns: Iterable[tuple[str, str]],
    octets: dict[str, sql.SQL],
    most: int,
) -> str:
    """LONGER where a row of the table is longer, or else why that can't be said; nothing if none is."""
    each = [octets[kind].format(sql.Identifier(column)) for column, kind in columns]
    query = LONG.format(table, octets=sql.SQL("::bigint + ").join(each))
    found, why = ask(reader, query, [most])
    return why or (LONGER if found[0][0] else "")
