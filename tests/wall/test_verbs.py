"""The second wall: every verb of the rooms' front doors, with everybody, against one table. No page stands before it."""

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from accounts.errors import Refusal
from accounts.models import User
from mailboxes import errors as mailbox_errors
from mailboxes import services
from mailboxes.services import Losses
from tenants.models import Membership
from tests.wall import texts
from tests.wall.scene import undone
from tests.wall.verbs import (
    EVERYBODY,
    FRONT_DOORS,
    NO_VERBS,
    OPEN,
    TABLE,
    Line,
    Stage,
    build,
    doors_of_faces,
    takes_an_actor,
    verbs,
)

READS = ("SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET", "SHOW")
IN_LINE = ("FOR UPDATE", "FOR NO KEY UPDATE", "pg_advisory_xact_lock(", 'INSERT INTO "mailboxes_mailbox" ')
# Rows that nobody holds for long but with those for which they have waited: of a mailbox or of a place.
HELD_WITH = ("tenants_directoryentry", "tenants_openjob", "tenants_invitation", "mailboxes_job")


@pytest.fixture(scope="module")
def _built(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    store = tmp_path_factory.mktemp("verbs", numbered=True)
    with django_db_blocker.unblock(), undone(), override_settings(STORE_ROOT=store):
        yield build()


@pytest.fixture
def stage(_built: Stage) -> Iterator[Stage]:
    logging.disable(logging.ERROR)
    try:
        with undone():
            yield _built
    finally:
        logging.disable(logging.NOTSET)


def test_the_wall_has_the_doors_that_the_contract_of_imports_gives_to_faces() -> None:
    here, there = {door.__name__ for door in FRONT_DOORS}, doors_of_faces()
    unseen = sorted(there - here - set(NO_VERBS))
    assert not unseen, f"Say in tests/wall/verbs.py, FRONT_DOORS, that faces enter by {unseen}."
    gone = sorted((here | set(NO_VERBS)) - there)
    assert not gone, f"The contract “Faces ask services” does not name {gone}."


def test_every_verb_has_a_line_in_the_table_or_a_reason_to_be_open() -> None:
    named = {name.partition(" ")[0] for name in TABLE}
    missing = sorted(set(verbs()) - named - set(OPEN))
    assert not missing, f"Say in tests/wall/verbs.py, TABLE, who may call {missing}."
    gone = sorted((named | set(OPEN)) - set(verbs()))
    assert not gone, f"Take out of tests/wall/verbs.py what is no verb any more: {gone}."
    assert not named & set(OPEN)


def test_every_verb_of_the_table_must_be_told_who_acts() -> None:
    """A default would be somebody for whoever forgets to say."""
    by_habit = sorted(
        name
        for name, verb in verbs().items()
        if name not in OPEN
        and not (
            takes_an_actor(verb)
            and (
                inspect.signature(verb).parameters["by"].kind is inspect.Parameter.KEYWORD_ONLY
                or next(iter(inspect.signature(verb).parameters)) == "by"
            )
        )
    )
    assert not by_habit


def test_everybody_may_call_what_the_table_says_and_a_refused_call_changes_nothing(
    stage: Stage, verbs_tried: Callable[[int, int], None]
) -> None:
    holes: list[str] = []
    tried = 0
    for name, line in TABLE.items():
        for person in sorted(EVERYBODY):
            tried += 1
            if hole := _tried(stage, line, person):
                holes.append(f"{name}, {person}: {hole}")
    verbs_tried(len(TABLE), tried)
    assert not holes, f"{len(holes)} holes in the wall:\n" + "\n".join(holes[:60])


def test_whoever_loses_the_right_while_they_wait_in_line_is_refused(stage: Stage) -> None:
    """As if it were committed by another in that moment: statements after the wait see it, as those of PostgreSQL do.

    Where there are several lines, in each.
    """
    holes: list[str] = []
    waited = 0
    for name, line in TABLE.items():
        acting = next((each for each in ("owner", "admin", "staff") if each in line.may), None)
        for turn in count() if acting else ():
            with undone(), _loses_it_in_line(stage.people[acting], turn) as lines:
                try:
                    line.call(stage, stage.people[acting])
                    outcome = "done"
                except Exception as error:
                    outcome = type(error).__name__
            if len(lines) <= turn:
                break
            waited += 1
            if outcome != "NotAllowed":
                holes.append(f"{name}, {acting}: {outcome} after {lines[turn][:300]}")
    assert not holes, f"{len(holes)} times nobody asks after the wait:\n" + "\n".join(holes)
    assert waited > 40  # or this knows a line no more by its statement


def test_a_verb_takes_what_is_typed_or_refuses_it_by_code_status_and_argument(
    stage: Stage, verbs_tried: Callable[[int, int], None]
) -> None:
    """Whatever else it raised, a page would answer with “something went wrong”, a program would be told nothing."""
    failed: list[str] = []
    tried = 0
    for name, line in texts.LINES.items():
        verb = name.partition(" ")[0]
        by = stage.people["system" if "system" in line.may else min(line.may)]
        for place in texts.places(verb):
            for value in place.values:
                tried += 1
                if failure := _typed(stage, verb, line, by, place, value):
                    failed.append(f"{name}, {place.part or place.argument}={ascii(value)[:40]}: {failure}")
    verbs_tried(0, tried)
    assert not failed, f"{len(failed)} verbs fail on what is typed:\n" + "\n".join(failed)


def test_every_verb_into_which_something_is_typed_has_a_call() -> None:
    called = {name.partition(" ")[0] for name in texts.LINES}
    doors = {door.__name__ for door in FRONT_DOORS}
    typed = {name for name in verbs() if name.rpartition(".")[0] in doors and texts.places(name)}
    assert typed <= called, f"Say in tests/wall/texts.py, CALLS, how to call {sorted(typed - called)}."


def _typed(stage: Stage, verb: str, line: Line, by: Any, place: texts.Place, value: Any) -> str:
    """What is wrong with the outcome, if anything."""
    with undone():
        try:
            with place.typed_into(verb, value):
                line.call(stage, by)
        except Refusal as refusal:
            if refusal.field and refusal.field not in texts.arguments_of(verb):
                return f"{refusal.code} is about {refusal.field}, which is no argument"
        except Exception as error:
            if line.ends is None or not isinstance(error, line.ends):
                return f"{type(error).__name__}: {str(error)[:80]}"
    return ""


def _tried(stage: Stage, line: Line, person: str) -> str:
    """What is wrong with the outcome, if anything."""
    by = stage.people[person]
    with undone(), _writes() as written:
        try:
            line.call(stage, by)
        except line.refusal:
            if person in line.may:
                return f"refused, but may ({line.refusal.__name__})"
            return f"refused, but wrote: {written[0]}" if written else ""
        except Exception as error:
            if line.ends is None or not isinstance(error, line.ends):
                return f"{type(error).__name__}: {error}"
        else:
            if line.ends is not None:
                return f"done, though {line.ends.__name__} should have ended it"
    return "" if person in line.may else "done, but may not"


def test_what_belongs_to_another_customer_is_not_there(
    stage: Stage, verbs_tried: Callable[[int, int], None]
) -> None:
    """Mallory may all at Globex; Acme's mailbox and job in her hands are still none of Globex's."""
    mallory, globex = stage.people["mallory"], stage.globex
    kept, suspended, locked = stage.box("kept"), stage.box("suspended"), stage.box("locked")
    none = mailbox_errors.NoSuchMailbox
    acts: list[tuple[type[Exception], Callable[[], Any]]] = [
        (none, lambda: services.activate_mailbox(globex, suspended, by=mallory)),
        (none, lambda: services.delete_locked_mail(globex, locked, by=mallory)),
        (none, lambda: services.edit_mailbox(globex, kept, by=mallory, name="Mine", description="")),
        (none, lambda: services.offer_reset(globex, kept, by=mallory, locked_mail="keep")),
        (none, lambda: services.offer_reset(globex, kept, by=mallory, current_password=stage.password)),
        (none, lambda: services.reset_password(globex, kept, by=mallory, locked_mail="delete")),
        (
            none,
            lambda: services.accept_reset(
                globex, kept, stage.reset_token(mallory, globex), by=mallory, understood=True
            ),
        ),
        (none, lambda: services.start_deletion(globex, suspended, by=mallory)),
        (none, lambda: services.suspend_mailbox(globex, kept, by=mallory)),
        (none, lambda: services.start_reach_test(globex, kept, by=mallory)),
        (none, lambda: services.unlock(globex, locked, stage.password, by=mallory)),
        (none, lambda: services.mailbox_by_address(globex, kept.address, by=mallory)),
        (
            mailbox_errors.NoSuchJob,
            lambda: services.retry(globex, stage.job("failed"), by=mallory),
        ),
        (
            mailbox_errors.NoSuchCertificate,
            lambda: services.certificate_of(globex, stage.boxes["gone"], by=mallory),
        ),
        (
            mailbox_errors.OfferAltered,
            lambda: services.accept(
                globex, stage.mailbox_token(mallory), by=mallory, name="Mine", understood=True
            ),
        ),
    ]
    for refusal, act in acts:
        with undone(), _writes() as written:
            with pytest.raises(refusal):
                act()
            assert not written
    with undone(), _writes() as written:
        assert services.losses(globex, locked, by=mallory) == Losses(0, 0, 0, None)
        assert not any(services.activity(globex, locked, by=mallory))
        assert services.jobs_of(globex, locked, by=mallory) == []
        assert services.deliveries_of(globex, locked, by=mallory).lines == []
        assert services.reach_test_of(globex, locked, by=mallory) is None
        assert services.sign_in_refusals_of(globex, locked, by=mallory) == []
        assert not written
    verbs_tried(0, len(acts) + 4)


@contextmanager
def _loses_it_in_line(person: Any, turn: int) -> Iterator[list[str]]:
    """All roles and permissions, in that of the lines in which they wait. The statements that waited."""
    lines: list[str] = []

    def look(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        result = execute(sql, params, many, context)
        with_others = any(f'FROM "{table}"' in str(sql) for table in HELD_WITH)
        if any(mark in str(sql) for mark in IN_LINE) and not with_others:
            lines.append(str(sql))
            if len(lines) == turn + 1:
                Membership.objects.filter(user=person.pk).delete()
                User.objects.filter(pk=person.pk).update(is_staff=False, is_superuser=False)
        return result

    with connection.execute_wrapper(look):
        yield lines


@contextmanager
def _writes() -> Iterator[list[str]]:
    """The statements that are more than a look: rows that were written, and rows that were held."""
    written: list[str] = []

    def look(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        text = str(sql).lstrip()
        if not text.upper().startswith(READS):
            written.append(text)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        yield written
