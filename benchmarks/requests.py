"""What a person waits for, with few messages in the mailbox and with many: requests do not look at messages."""

from collections.abc import Callable
from statistics import median

from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from accounts.models import User
from accounts.services import create_person
from benchmarks.jobs import timed
from benchmarks.mailbox import listed
from benchmarks.measure import Result, compare
from mailboxes import services
from mailboxes.models import Job, Mailbox
from mailboxes.services import jobs
from portal.gates.companion import COMPANION, companion_of
from tenants.models import Customer
from tenants.services import add_membership, create_customer

FEW, MANY = 10, 100_000
ROUNDS = 5
PAGES = 30
ROWS = 10


def measure() -> list[Result]:
    """The requests that make a mailbox unreadable, and the pages that are looked at meanwhile."""
    call_command("collectstatic", interactive=False, verbosity=0)  # pages name their style sheet by its hash
    results = [_list_of_mailboxes()]
    customer = Customer.objects.get(slug="acme")
    browser = browser_of(customer)

    def job_page(mailbox: Mailbox) -> None:
        with tenant_context(customer):
            job = mailbox.jobs.first() or jobs.open_job(
                customer, mailbox, Job.Kind.REENCRYPTION, total=MANY, by=SYSTEM
            )
        see(browser, f"/mailboxes/jobs/{job.pk}/")

    acts: list[tuple[str, Callable[[Mailbox], object]]] = [
        ("list page", lambda mailbox: see(browser, f"/mailboxes/?q={mailbox.address}")),
        ("mailbox page", lambda mailbox: see(browser, f"/mailboxes/{mailbox.pk}/")),
        ("job page", job_page),
        ("reset", lambda mailbox: services.reset_password(customer, mailbox, by=SYSTEM, locked_mail="keep")),
        ("deletion", lambda mailbox: services.start_deletion(customer, mailbox, by=SYSTEM)),
    ]
    few = [listed(customer, f"few {number}", FEW) for number in range(ROUNDS)]
    many = [listed(customer, f"many {number}", MANY) for number in range(ROUNDS)]
    for what, act in acts:
        if what == "deletion":
            for mailbox in few + many:
                services.suspend_mailbox(customer, mailbox, by=SYSTEM)
        # In turn, so that a machine that slows down meanwhile slows both.
        pairs = [
            (timed(lambda m=a, act=act: act(m)), timed(lambda m=b, act=act: act(m)))
            for a, b in zip(few, many, strict=True)
        ]
        results.append(
            Result(
                f"request: {what}, {MANY:,} messages",
                "requests/s",
                1 / median(seconds for _, seconds in pairs),
                1 / median(seconds for seconds, _ in pairs),
                f"the same with {FEW}",
            )
        )
    return results


def _list_of_mailboxes() -> Result:
    """Ten mailboxes at rest, beside the least that a page with the same rows can be, through the same doors."""
    provider = Customer.objects.get(slug="acme").provider
    customer = create_customer("globex", "Globex", provider=provider, by=SYSTEM)
    for number in range(ROWS):
        listed(customer, f"row {number}", FEW)
    browser = browser_of(customer)
    settings.ROOT_URLCONF = "benchmarks.bare"
    return compare(
        "request: list of mailboxes",
        amount=PAGES,
        unit="pages/s",
        ours=lambda: [see(browser, "/mailboxes/") for _ in range(PAGES)],
        baseline=lambda: [see(browser, "/bare/") for _ in range(PAGES)],
        baseline_name="a bare list of one table",
    )


def browser_of(customer: Customer) -> Client:
    """Of its administrator, who is made if need be."""
    address = f"bench@{customer.slug}.example"
    person = User.objects.filter(email=address).first()
    if person is None:
        person, _ = create_person(address, name="Bench", password="only-for-this-run", by=SYSTEM)
        add_membership(person, customer=customer, role="admin", by=SYSTEM)
    return signed_in(person, f"{customer.slug}.{settings.BASE_DOMAIN}")


def signed_in(person: User, host: str) -> Client:
    browser = Client(headers={"host": host})
    browser.force_login(person)
    browser.cookies[COMPANION] = companion_of(browser.session.session_key)
    return browser


def see(browser: Client, path: str) -> None:
    answer = browser.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
