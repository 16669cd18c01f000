"""One act on backups at a time, told how far it is; and what tells an installation from others."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import psycopg

from mailboxes.backup.errors import BackupRunning
from tenants import pooling

ALONE_LOCK = 7_302_115_410  # of PostgreSQL's advisory locks
OFFSETS = range(-12 * 60, 14 * 60 + 1, 15)  # of time zones from UTC, in minutes


@dataclass
class Progress:
    """What a backup is at, and how far it has got with the customers."""

    step: str = ""
    customers: int = 0
    customers_done: int = 0
    copied: int = 0
    copied_octets: int = 0


Tell = Callable[[Progress], None]


@contextmanager
def be_alone() -> Iterator[pooling.Guard]:
    """Raises BackupRunning, DatabaseError."""
    with pooling.lock_on_one_of(ALONE_LOCK) as guard:
        if not guard:
            raise BackupRunning(
                "Another backup of this installation is being taken at this moment, or something is brought from one."
            )
        yield guard


def telling(tell: Tell, guard: pooling.Guard) -> Tell:
    """After each step, and no further one is done beside somebody else's."""

    def step(progress: Progress) -> None:
        tell(progress)
        guard.still()

    return step


def installations(where: "psycopg.Connection[Any]", customer: UUID | None) -> list[str]:
    """What tells an installation from others, also once it was restored: when its database was first migrated. And each
    customer's exports from its backups. Behind it by which names earlier releases may have called it, which wrote that
    moment as the server's time zone had it.
    """
    row = where.execute("SELECT min(applied)::text FROM public.django_migrations").fetchone()
    text = str(row and row[0])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # nobody's moment
        written = [text]
    else:
        written = [text, *(_written(moment, timezone(timedelta(minutes=m))) for m in OFFSETS)]
    which = f"/{customer}" if customer else ""
    return [hashlib.sha256(f"gatehouse/{one}{which}".encode()).hexdigest() for one in written]


def _written(moment: datetime, zone: timezone) -> str:
    """As PostgreSQL writes it there."""
    there = moment.astimezone(zone)
    text = f"{there:%Y-%m-%d %H:%M:%S.%f}".rstrip("0") if there.microsecond else f"{there:%Y-%m-%d %H:%M:%S}"
    return text + there.isoformat()[-len("+00:00") :].removesuffix(":00")
