"""What an upgrade takes with 50 customers and with 500: `python -m benchmarks.upgrading`, for all of them are made first."""

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from django.db import connection, connections

from benchmarks.installation import installed
from benchmarks.measure import ROUNDS, Result, table

ROOT = Path(__file__).resolve().parents[1]
FEW, MANY = 50, 500
NEXT = "benchmarks.next_release.settings"
UPGRADE = ("manage.py", "upgrade")
# Which manage.py refuses.
ALONE = (
    "import django; from django.core.management import call_command; django.setup(); "
    "call_command('migrate_schemas', tenant=True, verbosity=0)"
)


def main() -> None:
    with installed():
        print(table(measure()))


def measure() -> list[Result]:
    """The rates are customers a second, Django's start and the spare schemas included, as whoever waits for it sees."""
    _grow(FEW)
    nothing_few, one_few = _nothing(), _one_migration()
    # As it was before: one after the other, each with all that `migrate` asks itself.
    alone = _seconds("-c", ALONE, settings=NEXT)
    _forget()  # or no customer could be created by the release before
    _grow(MANY)
    nothing_many, one_many = _nothing(), _one_migration()
    unit = "customers/s"
    return [
        Result(
            f"upgrade: nothing to do, {MANY}",
            "upgrades/s",
            1 / nothing_many,
            1 / nothing_few,
            f"the same with {FEW}",
        ),
        Result(
            f"upgrade: nothing to do, {FEW}",
            unit,
            FEW / nothing_few,
            FEW / alone,
            "migrate_schemas of django-tenants",
        ),
        Result(
            f"upgrade: one migration, {FEW}",
            unit,
            FEW / one_few,
            FEW / alone,
            "migrate_schemas, nothing to do",
        ),
        Result(
            f"upgrade: one migration, {MANY}", unit, MANY / one_many, FEW / one_few, f"the same with {FEW}"
        ),
    ]


def _grow(count: int) -> None:
    """Until there are so many customers."""
    # They bring models, which need the settings and so the services that have just been started.
    from accounts.actors import SYSTEM  # noqa: PLC0415
    from tenants.models import Customer, Provider  # noqa: PLC0415
    from tenants.services import create_customer  # noqa: PLC0415

    provider = Provider.objects.get(slug="northwind")
    for number in range(Customer.objects.count(), count):
        create_customer(f"customer{number}", f"Customer {number}", provider=provider, by=SYSTEM)


def _nothing() -> float:
    """Seconds of an upgrade with nothing to do."""
    _seconds(*UPGRADE)  # spare schemas are left over from what was measured before
    return median(_seconds(*UPGRADE) for _ in range(ROUNDS))


def _one_migration() -> float:
    """Seconds of an upgrade with one migration to do for each customer."""
    taken = []
    for _ in range(ROUNDS):
        _forget()
        taken.append(_seconds(*UPGRADE, settings=NEXT))
    return median(taken)


def _forget() -> None:
    """As if the migration had not been applied."""
    from tenants.models import Customer  # noqa: PLC0415  as above

    with connection.cursor() as cursor:
        for schema in ("public", *Customer.objects.values_list("schema_name", flat=True)):
            cursor.execute(f"DELETE FROM {schema}.django_migrations WHERE name = '9001_label'")


def _seconds(*command: str, settings: str = "portal.settings") -> float:
    connections.close_all()
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
