"""What a provider's customers cost on the page that lists them: the same with 10 and with 1,000: `make bench PART=customers`.

Beside the least that a page with as many rows can be, through the same doors, in the same run.
"""

import sys
import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from benchmarks.installation import bare
from benchmarks.measure import Result, compare, table

FEW, MANY = 10, 1000
MAILBOXES, DAYS = 5, 90
PAGES = 20
QUERIES_AT_MOST, TIMES_AT_MOST = 15, 5


def main() -> None:
    with bare():
        results, queries = measure()
    print(table(results))
    for what, numbers in queries.items():
        print(f"{what}: {numbers[0]} queries with {FEW} customers, {numbers[1]} with {MANY:,}")
    slow = [result.what for result in results if result.ratio < 1 / TIMES_AT_MOST]
    many = [what for what, (few, more) in queries.items() if more > QUERIES_AT_MOST or more != few]
    if slow or many:
        sys.exit(f"Too slow, or too many queries: {', '.join([*slow, *many])}")


def measure() -> tuple[list[Result], dict[str, tuple[int, int]]]:
    """Rates, and the queries of each page with few customers and with many."""
    call_command("collectstatic", interactive=False, verbosity=0)  # pages name their style sheet by its hash
    settings.PUBLIC_SCHEMA_URLCONF = "benchmarks.bare_customers"
    queries: dict[str, list[int]] = {}
    results: list[Result] = []
    for size in (FEW, MANY):
        began = time.monotonic()
        _make(size)
        _say(f"{size:,} customers after {time.monotonic() - began:.0f} s.")
        browser = _browser()
        results = []
        for what, path in _pages().items():
            queries.setdefault(what, []).append(_queries_of(browser, path))
            results.append(_beside_bare(browser, f"{what}, {size:,}", path))
            _say(table(results[-1:]))
    return results, {what: (few, many) for what, (few, many) in queries.items()}


def _pages() -> dict[str, str]:
    return {
        "list of customers": "/customers/",
        "the same, most waiting first": "/customers/?sort=-waiting",
        "the same, searched": "/customers/?q=measuring",
    }


def _beside_bare(browser: Any, what: str, path: str) -> Result:
    from benchmarks.requests import see  # noqa: PLC0415  models, as in _make

    return compare(
        what,
        amount=PAGES,
        unit="pages/s",
        ours=lambda: [see(browser, path) for _ in range(PAGES)],
        baseline=lambda: [see(browser, "/bare/") for _ in range(PAGES)],
        baseline_name="a bare list of 50 rows of one table",
    )


def _queries_of(browser: Any, path: str) -> int:
    from benchmarks.requests import see  # noqa: PLC0415  models, as in _make

    see(browser, path)
    with CaptureQueriesContext(connection) as asked:
        see(browser, path)
    return len(asked)


def _make(size: int) -> None:
    from accounts.actors import SYSTEM  # noqa: PLC0415  they bring models, which need the settings
    from mailboxes.measuring import make_busy_customers  # noqa: PLC0415

    make_busy_customers(size, mailboxes=MAILBOXES, days=DAYS, by=SYSTEM)


def _browser() -> Any:
    """Of the provider's owner, who is made if need be."""
    from accounts.actors import SYSTEM  # noqa: PLC0415  they bring models, which need the settings
    from accounts.models import User  # noqa: PLC0415
    from accounts.services import create_person  # noqa: PLC0415
    from benchmarks.requests import signed_in  # noqa: PLC0415
    from tenants.models import Provider  # noqa: PLC0415
    from tenants.services import add_membership  # noqa: PLC0415

    person = User.objects.filter(email="bench@measuring.example").first()
    if person is None:
        person, _ = create_person(
            "bench@measuring.example", name="Bench", password="only-for-this-run", by=SYSTEM
        )
        add_membership(person, provider=Provider.objects.get(slug="measuring"), role="owner", by=SYSTEM)
    return signed_in(person, settings.BASE_DOMAIN)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
