"""What more customers cost: the same with 50, 500 and 2,000 of them, in turn: `make bench PART=growth`.

Three databases of one PostgreSQL: that of 50 is copied and grows to 500, that is copied and grows to 2,000. So all three
are there at once, and are measured in turn, on a machine that is as busy for each.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections
from psycopg import sql

from benchmarks.accepting import send
from benchmarks.installation import bare, serving
from benchmarks.measure import Result, table

ROOT = Path(__file__).resolve().parents[1]
SIZES = (50, 500, 2000)
ROUNDS = 5
USED = 20  # customers that have a mailbox, mail and pages to look at
MESSAGES = 100  # in one turn, one connection for each of four customers
MINUTE = 60.0


def main() -> None:
    with bare() as folder:
        print(table(measure(folder)))


def measure(folder: Path) -> list[Result]:
    """Rates, each beside the same with 50 customers: 1 means that customers cost nothing."""
    sizes = _databases()
    call_command("collectstatic", interactive=False, verbosity=0)
    found: dict[str, dict[int, list[float]]] = {}

    def note(what: str, size: int, seconds: float) -> None:
        found.setdefault(what, {}).setdefault(size, []).append(seconds)

    with ExitStack() as stack:
        ports = {}
        for size in SIZES:
            with _using(sizes[size]):
                ports[size] = stack.enter_context(
                    serving("manage.py", "gateway", log=folder / f"gateway-{size}.log")
                )[0]
        acts = _acts(folder, ports)
        for number in range(ROUNDS):
            for what, act in acts.items():
                if what.startswith("backup") and number:
                    continue  # it takes long enough to be told apart from noise
                for size in SIZES:
                    with _using(sizes[size]):
                        seconds = act(size, number)
                    note(what, size, seconds)
                    _say(f"Round {number + 1} of {ROUNDS}: {what}, {size} customers: {seconds:.3f} s")
    return [
        _beside_few(f"{what}, {size} customers", taken[SIZES[0]], taken[size])
        for what, taken in found.items()
        for size in SIZES[1:]
    ]


def _beside_few(what: str, few: list[float], many: list[float]) -> Result:
    """The ratio is the median of the rounds' own: what slows the machine for a while slows both."""
    rate = 1 / median(few)
    ratio = median(one / other for one, other in zip(few, many, strict=True))
    return Result(what, "a second", rate * ratio, rate, f"the same with {SIZES[0]}")


def _acts(folder: Path, ports: dict[int, int]) -> dict[str, Callable[[int, int], float]]:
    """What is measured: seconds by number of customers and round."""
    # They bring models, which need the settings and so the services that have just been started.
    from accounts.actors import SYSTEM  # noqa: PLC0415
    from benchmarks.messages import message  # noqa: PLC0415
    from benchmarks.requests import see  # noqa: PLC0415
    from mailboxes.backup import back_up  # noqa: PLC0415
    from mailboxes.backup.keys import new_recovery_key  # noqa: PLC0415
    from portal.celery import app  # noqa: PLC0415
    from tenants import spares  # noqa: PLC0415
    from tenants.models import DirectoryEntry, Provider  # noqa: PLC0415
    from tenants.services import create_customer  # noqa: PLC0415

    settings.RECOVERY_PUBLIC_KEY, _ = new_recovery_key()
    texts = [message(number) for number in range(MESSAGES // 4)]
    app.loader.import_default_modules()

    def creation(size: int, number: int) -> float:
        spares.refill()
        provider = Provider.objects.get(slug="measuring")
        name = f"bench-{number}"
        return _seconds(lambda: create_customer(name, name, provider=provider, by=SYSTEM))

    def page(size: int, number: int, *, first: bool) -> float:
        browsers = _browsers()
        used = browsers[1 + number % (USED - 1)]
        see(browsers[0], "/mailboxes/")  # what Python and the session learn once, whoever is looked at
        if not first:
            see(used, "/mailboxes/")
        return median(_seconds(lambda: see(used, "/mailboxes/")) for _ in range(1 if first else 10))

    def delivery(size: int, number: int) -> float:
        found = DirectoryEntry.objects.order_by("address").values_list("address", flat=True)
        used = list(found)[:4]
        send(ports[size], used, texts[:1])  # connections, caches
        return _seconds(lambda: send(ports[size], used, texts))

    def beat(size: int, number: int) -> float:
        def rings(task: str) -> float:
            ring = app.tasks[task]
            ring()  # as a worker that has done it before
            return median(_seconds(ring) for _ in range(3))

        # As often as beat rings within a minute.
        return sum(
            rings(entry["task"]) * MINUTE / entry["schedule"]
            for entry in settings.CELERY_BEAT_SCHEDULE.values()
        )

    def upgrade(size: int, number: int) -> float:
        return _seconds(lambda: _manage("upgrade"))

    def backup(size: int, number: int) -> float:
        place = folder / f"backups-{size}"
        place.mkdir()
        return _seconds(lambda: back_up(place.as_uri(), by=SYSTEM))

    return {
        "customer's creation": creation,
        "first page of a customer": lambda size, number: page(size, number, first=True),
        "later page": lambda size, number: page(size, number, first=False),
        f"delivery of {MESSAGES}": delivery,
        "beat's minute": beat,
        "upgrade with nothing to do": upgrade,
        "backup of the database": backup,
    }


# --- The databases ---
def _databases() -> dict[int, str]:
    """One for each size, by name. Each is copied from the one before and grows."""
    name = str(connection.settings_dict["NAME"])
    found = {}
    for size in SIZES:
        with _using(name):
            _grow(size)
        found[size] = name
        if size != SIZES[-1]:
            name, before = f"gatehouse_{size}_and_more", name
            connections.close_all()
            with _server() as server:
                copy = "CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy"
                server.execute(sql.SQL(copy).format(sql.Identifier(name), sql.Identifier(before)))
    for name in found.values():
        with _using(name), connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    return found


def _grow(size: int) -> None:
    from accounts.actors import SYSTEM  # noqa: PLC0415  models, as in _acts
    from mailboxes.services import create_mailbox  # noqa: PLC0415
    from tenants import measuring  # noqa: PLC0415
    from tenants.models import Customer  # noqa: PLC0415

    began, there = time.monotonic(), Customer.objects.count()
    if size > there:
        measuring.make_empty_customers(size - there, by=SYSTEM)
        _say(f"{size} customers, {(time.monotonic() - began) / (size - there) * 1000:.0f} ms each.")
    if not there:
        for customer in Customer.objects.order_by("slug")[:USED]:
            create_mailbox(customer, name="Journal", by=SYSTEM)


def _browsers() -> list[Any]:
    """Of somebody who may look at all customers, one for each that is used. The session knows none of them yet."""
    from benchmarks.requests import browser_of  # noqa: PLC0415  models, as in _acts
    from tenants.models import Customer  # noqa: PLC0415

    used = list(Customer.objects.filter(directory_entries__isnull=False).order_by("slug")[:USED])
    found = [browser_of(customer) for customer in used]
    connection.close()
    return found


@contextmanager
def _using(name: str) -> Iterator[None]:
    """This process, and those that it starts meanwhile, work on this database."""
    before, url = str(connection.settings_dict["NAME"]), os.environ["DATABASE_URL"]
    _use(name)
    os.environ["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{name}").geturl()
    try:
        yield
    finally:
        _use(before)
        os.environ["DATABASE_URL"] = url


def _use(name: str) -> None:
    connection.close()
    for settings_dict in (connection.settings_dict, connections.settings["default"]):
        settings_dict["NAME"] = name


@contextmanager
def _server() -> "Iterator[psycopg.Connection[Any]]":
    parameters = connection.get_connection_params()
    where = {name: parameters[name] for name in ("host", "port", "user") if parameters.get(name)}
    with psycopg.connect(**where, dbname="postgres", autocommit=True) as server:
        yield server


def _manage(*command: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
