"""`manage.py distribute_customers`: customers who are on the coordinator go to its nodes, one by one, while the portal works.

As with an upgrade nothing has to be remembered between two runs: the database says who is still here. A schema goes in one
transaction, together with what it leaves beneath; whoever needs it meanwhile waits, and mail is put off at worst.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import DatabaseError, OperationalError, connection, transaction

from tenants import cluster, whose
from tenants.models import SpareSchema
from tenants.upgrading import the_only_one

log = logging.getLogger(__name__)

# Of one schema, while pages and mail hold its tables: a minute or so.
ATTEMPTS = 60
PAUSE_SECONDS = 0.7


class NoCluster(Exception):
    """Customers can't be distributed here; says why, and what to do."""


@dataclass
class Report:
    """What it came to: schemas by what was done with them."""

    distributed: list[str] = field(default_factory=list)
    emptied: list[str] = field(default_factory=list)  # distributed by somebody else, who left rows behind
    failed: dict[str, str] = field(default_factory=dict)  # and why
    seconds: float = 0.0


def distribute_customers(
    waiting: Callable[[], None], *, wait: bool = True, done: Callable[[str], None] = lambda schema: None
) -> Report:
    """All that are not, spare schemas among them. Not beside an upgrade: raises AnotherIsAtWork unless it waits for its end.

    Raises NoCluster, LockLost.
    """
    began, report = time.monotonic(), Report()
    tried: set[str] = set()
    with the_only_one(waiting, wait=wait) as guard:
        if trouble := cluster.why_not() or _unprepared():
            raise NoCluster(trouble)
        while left := [schema for schema in cluster.undistributed() if schema not in tried]:
            for schema in left:
                tried.add(schema)
                guard.still()
                _try(report, schema, cluster.distribute, report.distributed)
                if schema not in report.failed:
                    done(schema)
        for schema in cluster.left_behind():
            guard.still()
            _try(report, schema, cluster.empty, report.emptied)
        guard.still()
    report.seconds = time.monotonic() - began
    return report


def _unprepared() -> str:
    if cluster.is_prepared() and not cluster.unguarded():
        return ""
    return "The schema public is not made for a cluster yet: manage.py upgrade --public, as its owner."


def _try(report: Report, schema: str, act: Callable[[str], None], well: list[str]) -> None:
    trouble = ""
    for attempt in range(ATTEMPTS):
        time.sleep(PAUSE_SECONDS if attempt else 0)
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")  # copying takes what it takes
                # A spare one that a customer takes in this moment has another name then: the next look finds that.
                spare = SpareSchema.objects.select_for_update(skip_locked=True).filter(schema_name=schema)
                if schema.startswith("spare_") and not spare:
                    return
                whose.require_owner(cursor, schema)
                act(schema)
            well.append(schema)
            return
        except OperationalError as error:
            trouble = str(error).strip().splitlines()[0]
            connection.close()
        except DatabaseError as error:
            log.exception("%s can't be distributed", schema)
            report.failed[schema] = str(error).strip().splitlines()[0]
            return
    report.failed[schema] = trouble
