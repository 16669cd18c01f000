"""The services, each asked to do what we need of it."""

import json
import secrets
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from django.conf import settings
from django.core.checks import run_checks
from django.core.mail import EmailMessage, get_connection
from django.db import DatabaseError, connection
from django.utils import timezone
from django_tenants.utils import schema_context

from accounts.demo import is_beside_the_demo
from mailboxes.errors import MailboxError
from mailboxes.store import NoFolder, store
from portal.checks import variables
from portal.network import is_loopback
from tenants import answering, cluster, last_backup
from tenants.schemas import IS_A_CUSTOMERS, NOBODYS

from .findings import SHOWN, Finding, Level, told

NAMED = 3
# Codes of authenticator apps hold for half a minute, locks and time-outs are counted in seconds.
CLOCK_WARNING, CLOCK_ERROR = 2.0, 20.0
SMTP_BACKEND = "django.core.mail.backends.smtp.EmailBackend"

LACKS = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND CASE c.relkind
    WHEN 'S' THEN NOT has_sequence_privilege(c.oid, 'USAGE')
    WHEN 'r' THEN NOT (has_table_privilege(c.oid, 'SELECT')
        AND (has_table_privilege(c.oid, 'INSERT') OR c.relname = 'django_migrations'))
    ELSE false END
ORDER BY 1
"""
FOREIGN = f"""
WITH found AS (
    SELECT schema_name, nspowner, NOT {IS_A_CUSTOMERS} AS is_gone
    FROM public.tenants_customer LEFT JOIN pg_namespace n ON nspname = schema_name
)
SELECT schema_name, is_gone FROM found WHERE is_gone OR NOT pg_has_role(current_user, nspowner, 'USAGE') ORDER BY 1
"""  # noqa: S608 - a constant

NODE = r"""
SELECT jsonb_build_object(
    'undecided', (
        SELECT count(*) FROM pg_prepared_xacts
        WHERE database = current_database() AND gid LIKE 'citus\_%' AND prepared < now() - interval '5 minutes'
    )::text,
    'role', current_user,
    'makes schemas', has_database_privilege(current_database(), 'CREATE')::text
) || json_object_agg(name, setting)::jsonb FROM pg_settings
WHERE name IN ('synchronous_commit', 'fsync', 'max_prepared_transactions', 'max_connections', 'wal_level')
"""


def checks() -> list[Finding]:
    """What each process asks at its start: settings, database, Redis, bucket, deployment; and whether the gateway can."""
    asked = run_checks(include_deployment_checks=True, databases=["default"])
    found = [
        Finding.of_check(message)
        for message in [*asked, *variables.gateway_has_a_certificate()]
        if not message.is_silenced() and not (is_beside_the_demo() and _is_well_in_the_demo(message.id or ""))
    ]
    # Each that could not ask the database says so, in the same words.
    return list(dict.fromkeys(found)) or [
        Finding("checks", Level.OK, "All checks of settings, database, Redis and store pass.")
    ]


def _is_well_in_the_demo(number: str) -> bool:
    """What is a fault elsewhere only: what Django asks of sites that are reached over HTTPS, and that people of the demo are there."""
    return number.startswith("security.") or number == "gatehouse.E020"


def database() -> list[Finding]:
    """Whether the role that serves may do what it has to. That it can't do more is a check (gatehouse.W002)."""
    try:
        with schema_context("public"), connection.cursor() as cursor:
            cursor.execute("SELECT current_user, has_database_privilege(current_database(), 'CREATE')")
            role, may_create = cursor.fetchone()
            cursor.execute(LACKS)
            lacking = [name for (name,) in cursor.fetchall()]
            cursor.execute(FOREIGN)
            customers = cursor.fetchall()
            cursor.execute(NOBODYS)
            nobodys = [name for (name,) in cursor.fetchall()]
    except DatabaseError as error:
        return [
            Finding(
                "database.rights",
                Level.ERROR,
                f"The database does not tell what the portal may do: {told(error)}",
                "Run `manage.py upgrade`; see docs/database-roles.md for what the role may do.",
            )
        ]
    found = []
    if not may_create:
        found.append(
            Finding(
                "database.rights",
                Level.ERROR,
                f"{role} may not make schemas, so no customer can be created.",
                f"Run docker/postgres/grants.sql, or GRANT CREATE ON DATABASE … TO {role}.",
            )
        )
    if lacking:
        found.append(
            Finding(
                "database.rights",
                Level.ERROR,
                f"{role} may not use {_few(lacking)} of the schema public.",
                "Run docker/postgres/grants.sql as the tables' owner; each upgrade of public needs it.",
            )
        )
    if missing := [name for name, is_missing in customers if is_missing]:
        found.append(
            Finding(
                "database.customers",
                Level.ERROR,
                f"There is no schema {_few(missing)}, or one without its keys, although the customer is known.",
                "Bring it from a backup, in its own place: "
                "`manage.py restore PLACE --customer SLUG`, with `--set` one from before. Remove no backup until then. "
                "If nobody wants it back: `manage.py give_up_customer SLUG`.",
            )
        )
    if nobodys:
        found.append(
            Finding(
                "database.customers",
                Level.ERROR,
                f"The schema {_few(nobodys)} is named and filled as a customer's, and no customer is known that has it.",
                "Whoever deleted its row took it out of all backups to come: remove none until it is put right "
                "(docs/operations.md, A customer whose row is gone).",
            )
        )
    if foreign := [name for name, is_missing in customers if not is_missing]:
        found.append(
            Finding(
                "database.customers",
                Level.ERROR,
                f"The schema {_few(foreign)} belongs to another role than {role}.",
                f"ALTER SCHEMA … OWNER TO {role}, and its tables, too.",
            )
        )
    return found or [Finding("database.rights", Level.OK, f"{role} may do what the portal needs.")]


def cluster_nodes() -> list[Finding]:
    """Of a Citus cluster (docs/cluster.md): whether customers are where they belong, and each node is set as it has to be."""
    try:
        with schema_context("public"):
            if not cluster.is_prepared() and cluster.why_not():
                return []
            unguarded = [] if cluster.is_prepared() else ["all tables"]
            unguarded = unguarded or cluster.unguarded()
            here, left = cluster.undistributed(), cluster.left_behind()
            nodes = cluster.on_nodes(NODE)
    except DatabaseError as error:
        return [
            Finding(
                "cluster.nodes", Level.ERROR, f"The cluster does not answer: {told(error)}", "See its log."
            )
        ]
    found = []
    if unguarded:
        found.append(
            Finding(
                "cluster.two-phases",
                Level.ERROR,
                f"What is written to {_few(unguarded)} of public may be committed without what a node writes, or the reverse.",
                "Run `manage.py upgrade --public` as the tables' owner.",
            )
        )
    if here:
        found.append(
            Finding(
                "cluster.customers",
                Level.WARNING,
                f"On the coordinator is still {_few(here)}.",
                "Run `manage.py distribute_customers`.",
            )
        )
    if left:
        found.append(
            Finding(
                "cluster.left-behind",
                Level.ERROR,
                f"The coordinator still has what {_few(left)} held before it went to a node: keys, too.",
                "Run `manage.py distribute_customers`.",
            )
        )
    for node, well, said in nodes:
        found += (
            _node(node, json.loads(said))
            if well
            else [
                Finding(
                    "cluster.nodes",
                    Level.ERROR,
                    f"{node} does not answer: {said[:SHOWN]}",
                    "Start it, and let the coordinator sign in there (docs/cluster.md, What to set).",
                )
            ]
        )
    return found or [
        Finding("cluster", Level.OK, "All customers are on nodes, which are set as they have to be.")
    ]


def _node(node: str, is_: dict[str, str]) -> list[Finding]:
    wrong = [
        (
            Level.ERROR,
            "synchronous_commit",
            is_["synchronous_commit"] == "off",
            "on",
            "mail answered 250 may be lost",
        ),
        (Level.ERROR, "fsync", is_["fsync"] == "off", "on", "mail answered 250 may be lost"),
        (
            Level.WARNING,
            "max_prepared_transactions",
            int(is_["max_prepared_transactions"]) < int(is_["max_connections"]),
            f"at least {is_['max_connections']}, as max_connections",
            "much that is done at once is refused",
        ),
        (
            Level.WARNING,
            "wal_level",
            is_["wal_level"] != "logical",
            "logical",
            "a customer that moves is written to by nobody meanwhile",
        ),
    ]
    found = [
        Finding(
            "cluster.settings",
            level,
            f"{node} has {name} = {is_[name]}: {so}.",
            f"Set {name} = {wanted} there.",
        )
        for level, name, is_wrong, wanted, so in wrong
        if is_wrong
    ]
    if is_["makes schemas"] != "true":
        found.append(
            Finding(
                "cluster.rights",
                Level.ERROR,
                f"{is_['role']} may not make schemas on {node}, so no customer can be created there.",
                f"GRANT CREATE ON DATABASE … TO {is_['role']}, on the coordinator, which tells the nodes.",
            )
        )
    if int(is_["undecided"]):
        found.append(
            Finding(
                "cluster.undecided",
                Level.WARNING,
                f"{node} has waited for minutes to hear whether {is_['undecided']} transactions took place.",
                "Citus's daemon on the coordinator tells it once a minute: see the logs of both.",
            )
        )
    return found


def clock() -> list[Finding]:
    """This machine's clock beside that of PostgreSQL."""
    before = time.time()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            (theirs,) = cursor.fetchone()
    except DatabaseError as error:
        return [
            Finding("clock", Level.ERROR, f"PostgreSQL does not tell the time: {told(error)}", "See its log.")
        ]
    after = time.time()
    # What the answer took is nobody's fault.
    apart = max(before - theirs, theirs - after, 0.0)
    if apart < CLOCK_WARNING:
        return [Finding("clock", Level.OK, "This machine and PostgreSQL agree on the time.")]
    return [
        Finding(
            "clock",
            Level.ERROR if apart >= CLOCK_ERROR else Level.WARNING,
            f"The clocks of this machine and of PostgreSQL are {apart:.0f} s apart.",
            "Let both follow one source of time (chrony, systemd-timesyncd).",
        )
    ]


def workers() -> list[Finding]:
    advice = "Start `manage.py worker` and `manage.py beat`, and look at their logs."
    try:
        heard = answering.last_answer()
    except DatabaseError as error:
        return [
            Finding("workers", Level.ERROR, f"Nobody knows whether workers answer: {told(error)}", advice)
        ]
    if heard is None:
        return [Finding("workers", Level.ERROR, "No worker has ever answered.", advice)]
    silent = timezone.now() - heard
    if silent > answering.SILENT_AFTER:
        return [
            Finding(
                "workers",
                Level.ERROR,
                f"No worker has answered since {heard:%Y-%m-%d %H:%M:%S} UTC.",
                f"{advice} Redis lies between them.",
            )
        ]
    return [
        Finding(
            "workers", Level.OK, f"Workers answer; the last time {max(silent, timedelta(0)).seconds} s ago."
        )
    ]


def backups() -> list[Finding]:
    """How old the last one is that ended well. A cluster is backed up by PostgreSQL's own means, and the demo not at all."""
    advice = "Take one at least daily, and see why the last one failed: docs/operations.md, Backup."
    try:
        if is_beside_the_demo() or cluster.is_prepared():
            return []
        last = last_backup.known()
    except DatabaseError as error:
        return [Finding("backups", Level.WARNING, f"Nobody knows of backups: {told(error)}", "See its log.")]
    if last is None:
        return [Finding("backups", Level.WARNING, "No backup has ever ended well.", advice)]
    age = timezone.now() - last.at
    seen = (
        f"The last backup that ended well is of {last.at:%Y-%m-%d %H:%M} UTC, "
        f"{max(age, timedelta(0)) // timedelta(hours=1)} h old."
    )
    if age > last_backup.LATE_AFTER:
        return [Finding("backups", Level.WARNING, seen, advice)]
    return [Finding("backups", Level.OK, seen)]


def store_works() -> list[Finding]:
    """Writes a few octets where no mailbox is, reads them back and removes them."""
    octets, customer, mailbox = secrets.token_bytes(64), uuid4(), uuid4()
    where = settings.STORE_URL
    try:
        blobs = store()
        blobs.require_ready()
        name = blobs.new_name(customer, mailbox)
        draft = blobs.draft(name)
        try:
            draft.write(octets)
            draft.keep()
            same = b"".join(blobs.chunks(name)) == octets
        finally:
            draft.discard()
            blobs.remove_mailbox(customer, mailbox)
            blobs.remove_empty_folders(customer.hex)
    except (MailboxError, OSError) as error:
        why = (
            f"{told(error)} ({told(error.__cause__)})"
            if isinstance(error.__cause__, Exception)
            else told(error)
        )
        if isinstance(error, NoFolder):
            advice = "Mount it, or make it, for the portal's user alone; see GATEHOUSE_STORE_URL and GATEHOUSE_STATE_DIR."
            return [Finding("store", Level.ERROR, f"There is no folder {error.filename}.", advice)]
        return [
            Finding(
                "store",
                Level.ERROR,
                f"The message store {where} can't be written and read: {why}",
                "Give it room, and let it belong to the portal's user; of a bucket see that its server is up.",
            )
        ]
    if not same:
        return [
            Finding(
                "store",
                Level.ERROR,
                f"The message store {where} gives back something else than was written.",
                "Take it out of use and see what is below it: mail would be lost.",
            )
        ]
    return [Finding("store", Level.OK, "The message store keeps what is written, and removes it.")]


def mail_out(mail_to: str) -> list[Finding]:
    """Connects, begins TLS and signs in as the portal does, whose own way this is; sends one mail if it is told to whom."""
    if settings.EMAIL_BACKEND != SMTP_BACKEND:
        return [
            Finding(
                "mail-out",
                Level.OK if is_beside_the_demo() else Level.WARNING,
                f"Invitations and notices are sent to nobody: each becomes a file in {Path(settings.EMAIL_FILE_PATH)}.",
                "Set GATEHOUSE_SMTP_URL.",
            )
        ]
    server = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    mailer = get_connection()
    stage = "reached"
    try:
        mailer.open()
        if mail_to:
            stage = "told to send"
            EmailMessage(
                "Gatehouse: a mail that the doctor sent",
                f"Somebody ran `manage.py doctor --mail-to` on the portal at {settings.BASE_DOMAIN}. Its mail gets out.",
                to=[mail_to],
                connection=mailer,
            ).send()
    except (OSError, ValueError) as error:  # smtplib's and ssl's own are the former; a name that is none
        return [
            Finding(
                "mail-out",
                Level.ERROR,
                f"The mail server {server} can't be {stage}: {told(error)}",
                "Correct GATEHOUSE_SMTP_URL (name, port, TLS, user and password), or GATEHOUSE_MAIL_FROM if it is that which "
                "it does not take.",
            )
        ]
    finally:
        mailer.close()
    found = [
        Finding(
            "mail-out",
            Level.OK,
            f"{server} takes mail from us" + (f": sent to {mail_to}." if mail_to else "."),
        )
    ]
    if not (settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL or is_loopback(settings.EMAIL_HOST)):
        found.append(
            Finding(
                "mail-out.tls",
                Level.WARNING,
                f"Links for invitations and passwords go to {server} without TLS.",
                "Take ?tls=no off GATEHOUSE_SMTP_URL.",
            )
        )
    return found


def alarms() -> list[Finding]:
    """Whether somebody hears of a night's backup that failed (`manage.py tell_failure`). That the mail server takes our mail
    is asked for above.
    """
    if is_beside_the_demo():
        return []
    if not settings.ALARMS_TO:
        seen = "Nobody is mailed when a night's backup fails: GATEHOUSE_ALARMS_TO is not set."
        advice = "Set it to who shall be woken, and try it: docs/operations.md, Who hears of it."
    elif settings.EMAIL_BACKEND != SMTP_BACKEND:
        seen = "GATEHOUSE_ALARMS_TO is set, and there is no mail server by which anybody could be told."
        advice = "Set GATEHOUSE_SMTP_URL."
    else:
        return [Finding("alarms", Level.OK, f"A backup that fails is told to {_few(settings.ALARMS_TO)}.")]
    return [Finding("alarms", Level.WARNING, seen, advice)]


def _few(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
