"""`manage.py upgrade`: `public` first, then the schemas of all customers, by several processes, while the release before serves on.

Nothing has to be remembered between two runs. What is left to do is asked of the schemas themselves (`schemas.py`), each
migration is committed with the line that says that it was applied (`migrating.py`), and none holds tables for longer than
mail may wait (`short_locks.py`). So whoever was killed is simply run again, and what is done already costs one query: each
schema has a note that nothing is left (`tenants/migrated.py`).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction
from psycopg.errors import LockNotAvailable

from tenants import cluster, pooling, spares
from tenants.migrated import note, restored_from
from tenants.schemas import between_customers, that_are_there
from tenants.upgrading import processes, schemas, trail
from tenants.upgrading.migrating import Outcome, migrate

# Any number will do, as long as nothing else in this database locks it: "upgrade" on a telephone keypad.
UPGRADE_LOCK = 8747233
ASKED_AGAIN_SECONDS = 0.5
# Somebody, such as a machine without memory, kills our processes before they get anything done.
ROUNDS_FOR_NOTHING = 3
# As long as a session of ours may say nothing within a transaction; a customer is usually made in a second.
CREATION_SECONDS = 120.0
MAY_CREATE = "SELECT has_database_privilege(current_database(), 'CREATE')::text"
# To fill it would make a customer without its keys, whose mail looks like nobody's.
LOST = (
    "its schema is gone, or is none of a customer's (without keys, or without its list of migrations): manage.py restore PLACE "
    "--customer brings it back (docs/operations.md, A customer that is gone)"
)
ANOTHERS = "it belongs to a role that may do less than the one in DATABASE_URL: run this as that role"


class AnotherIsAtWork(Exception):
    """An upgrade or a backup of this database goes on, and nobody wanted to wait for its end."""


class WrongRole(Exception):
    """Nobody's customers can be upgraded as this role; says as whom."""


class BeingRestored(Exception):
    """The database is half of what comes from a backup."""


class Told(Protocol):
    """Whoever is told how it gets on."""

    def waiting(self) -> None:
        """Another upgrade, or a backup, is at work; ours begins when that has ended."""

    def begun(self, left: int, customers: int) -> None:
        """So many customers are left to upgrade, of so many that there are."""

    def done(self, outcome: Outcome) -> None:
        """A schema has been upgraded, or could not be."""


@dataclass
class Report:
    """What an upgrade came to."""

    customers: int = 0
    upgraded: list[str] = field(default_factory=list)  # schemas in which there was something to do
    failed: dict[str, Outcome] = field(default_factory=dict)  # by schema
    seconds: float = 0.0

    def add(self, outcome: Outcome) -> None:
        if outcome.trouble:
            self.failed[outcome.schema] = outcome
        elif outcome.applied:
            self.upgraded.append(outcome.schema)


def upgrade(told: Told, *, by: int, hold: float, public_only: bool = False, wait: bool = True) -> Report:
    """Bring the database to this release, with so many processes. No migration holds tables for longer than `hold` seconds.

    A schema that can't be upgraded is in the report, and the others go on; but when that is `public`, nothing else is
    tried, for the others' migrations build on it. Raises AnotherIsAtWork, unless it waits for that one's end, WrongRole,
    BeingRestored and ThroughAPooler before anything is done, and LockLost when another one may have begun beside it.
    """
    began, report = time.monotonic(), Report()
    pooling.require_no_pooler()
    if (begun := restored_from())[0]:
        raise BeingRestored(
            f"A restore of {begun[0]} was begun in this database, and has not ended: repeat `manage.py restore`, as it was."
        )
    if not public_only:
        _require_the_role_that_serves()
    with the_only_one(told.waiting, wait=wait) as guard:
        outcome = migrate(schemas.PUBLIC, hold=hold)
        report.add(outcome)
        if outcome.applied or outcome.trouble:
            told.done(outcome)
        guard.still()
        if not outcome.trouble:
            # Nothing is left to migrate, but rights and kinds of rows are written down at its end, whoever was killed before.
            call_command("migrate_schemas", shared=True, interactive=False, verbosity=0)
            cluster.prepare_public()
            _guard_the_trail(report, told, hold)
            if not public_only:
                _customers(report, told, guard, by=by, hold=hold)
                spares.refill()  # those of the release before are dropped: nobody would get one
        guard.still()
    report.seconds = time.monotonic() - began
    return report


def _require_the_role_that_serves() -> None:
    if lesser := schemas.lesser_owner():
        raise WrongRole(
            f"{lesser.schemas} of the customers' schemas belong to {lesser.name}, which may do less than {lesser.we}, who "
            f"would run what that role has put there. Run this as {lesser.name}, and what all customers share as its owner, "
            "by `manage.py upgrade --public` (docs/database-roles.md)."
        )


def what_is_not_allowed(error: Exception) -> str:
    """What PostgreSQL refuses our role, and what to type, in a line. Of a cluster it says neither where."""
    said = str(error).strip().splitlines()[0]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, current_database(), has_database_privilege(current_database(), 'CREATE')"
        )
        role, database, may_create = cursor.fetchone()
    places = [] if may_create else ["this server"]
    if cluster.is_prepared():
        places += [node for node, well, may in cluster.on_nodes(MAY_CREATE) if well and may != "true"]
    if not places:
        return f"{role} may not do what is needed: {said}. Give it the rights of docs/database-roles.md."
    return (
        f"{role} may not make schemas on {', '.join(places)}, where new customers need them: {said}. As the database's owner, "
        f'here, which tells the nodes: GRANT CONNECT, CREATE, TEMPORARY ON DATABASE "{database}" TO {role}'
    )


def _guard_the_trail(report: Report, told: Told, hold: float) -> None:
    try:
        trail.put_back(hold=hold)
    except OperationalError as error:
        why = str(error).strip().splitlines()[0]
        report.add(
            outcome := Outcome(schemas.PUBLIC, trouble=f"what guards the audit trail is not put back: {why}")
        )
        told.done(outcome)


def _customers(report: Report, told: Told, guard: pooling.Guard, *, by: int, hold: float) -> None:
    """Those that are there, and then those that processes of the release before had begun to make."""
    # On a cluster, a look into each schema costs a third of a millisecond, so these are not asked again.
    settled: set[str] = set()
    _rounds(report, told, guard, settled, by=by, hold=hold)
    if not _creations_have_ended(hold):
        trouble = f"a customer has been in the making for {CREATION_SECONDS:g} s, and may lack something once it is there"
        report.add(Outcome(schemas.PUBLIC, trouble=trouble))
    _rounds(report, told, guard, settled, by=by, hold=hold)


def _rounds(
    report: Report, told: Told, guard: pooling.Guard, settled: set[str], *, by: int, hold: float
) -> None:
    """Until none is left, for processes of ours may be killed."""
    tried: set[str] = set()
    in_vain = 0
    while True:
        states = schemas.customers(but=settled)
        report.customers = len(settled | states.keys())
        settled |= {name for name, state in states.items() if not state.is_behind}
        _note_those_without(states, guard)
        for name in [name for name, state in states.items() if state.is_anothers]:
            report.add(outcome := Outcome(name, trouble=ANOTHERS))
            told.done(outcome)
        behind = [name for name, state in states.items() if state.is_behind and name not in report.failed]
        left = that_are_there(behind)
        for name in sorted(set(behind).difference(left)):
            report.add(outcome := Outcome(name, trouble=LOST))
            told.done(outcome)
        if not left:
            return
        if in_vain == ROUNDS_FOR_NOTHING:
            for name in left:
                outcome = Outcome(name, trouble="the process at work on it was killed, again and again")
                report.add(outcome)
                told.done(outcome)
            return
        told.begun(len(left), report.customers)
        in_vain += 1
        for outcome in processes.migrate_all(left, by=by, hold=hold):
            if outcome.schema not in tried:
                in_vain = 0
            tried.add(outcome.schema)
            report.add(outcome)
            told.done(outcome)
            guard.still()


def _note_those_without(states: dict[str, schemas.State], guard: pooling.Guard) -> None:
    """Of earlier releases, or migrated by hand: the next upgrade need not ask them. No node of a cluster keeps notes."""
    without = [
        name for name, state in states.items() if not (state.is_behind or state.is_noted or state.is_anothers)
    ]
    if not without or cluster.is_prepared():
        return
    for name in without:
        note(name)
        between_customers()
        guard.still()


def _creations_have_ended(hold: float) -> bool:
    """Whether they did so in time. From `public`'s upgrade on, a creation that begins is refused (database_is_newer).

    It asks again and again, for whoever wants to write to that table queues up behind who waits for it.
    """
    until = time.monotonic() + CREATION_SECONDS
    while True:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{round(hold * 1000)}ms"])
                cursor.execute("LOCK TABLE public.tenants_customer IN SHARE MODE")
        except OperationalError as error:
            if not isinstance(error.__cause__, LockNotAvailable):
                raise
        else:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(ASKED_AGAIN_SECONDS)


@contextmanager
def the_only_one(waiting: Callable[[], None], *, wait: bool) -> Iterator[pooling.Guard]:
    """Hold the lock for as long as the block takes. Raises AnotherIsAtWork, unless it waits for that one, which it says."""
    connections.close_all()
    with pooling.lasting_transaction() as guard:
        asked = False
        while not guard.try_lock(UPGRADE_LOCK):
            if not wait:
                raise AnotherIsAtWork
            if not asked:
                waiting()
            asked = True
            time.sleep(ASKED_AGAIN_SECONDS)
        yield guard
