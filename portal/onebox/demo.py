"""What a first visitor finds: people, customers, mailboxes and waiting mail, all made through the same services as theirs."""

from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.db.models import Q
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from accounts.adapters.backends import DEMO_PASSWORD
from accounts.demo import in_demo
from accounts.models import User
from accounts.services import create_person
from mailboxes.models import Mailbox
from mailboxes.services import create_mailbox, delivery, delivery_log
from portal.network import is_loopback
from tenants import spares
from tenants.models import Customer, Provider
from tenants.services import add_membership, create_customer, create_provider

OPERATOR, ADMIN, STAFF = "operator@northwind.example", "admin@acme.example", "staff@gatehouse.example"
PEOPLE = {
    OPERATOR: "operator, owner at the provider Northwind IT",
    ADMIN: "administrator of the customer Acme",
    STAFF: "platform staff, /admin/",
}
# For who has retired them: nobody is left to invite anybody.
WAYS_IN = (
    "`manage.py create_user you@example.com --staff` makes you platform staff, with a password of your own.",
    "`manage.py create_user you@example.com --provider northwind --role owner` makes you Northwind IT's owner.",
)
CUSTOMERS = {"acme": "Acme", "globex": "Globex", "initech": "Initech"}
MAILBOXES = {
    "acme": [
        ("Office 365 Journal", "Journal of all mail in Microsoft 365", "report", 3),
        ("Support desk", "Copies of support@acme.example", "plain", 2),
        ("Warehouse scanners", "", "plain", 0),
    ],
    "globex": [("Exchange Journal", "On-premises Exchange 2019", "report", 2)],
    "initech": [],
}


class NotHere(Exception):
    """The demo's password is public, so its people exist on loopback only, and in its own database."""


def ensure() -> None:
    """Make what is missing of the demo; what people made of it since stays. Raises NotHere."""
    if not (in_demo() and is_loopback(settings.BIND)):
        raise NotHere(
            "The demo's people have a public password: they are made by `manage.py demo`, on loopback only, and in no "
            "database but its own."
        )
    for earlier in people():
        User.objects.filter(pk=earlier.pk).update(is_demo=True)  # earlier releases did not mark them
    provider = Provider.objects.filter(slug="northwind").first() or create_provider(
        "northwind", "Northwind IT", by=SYSTEM
    )
    for slug, name in CUSTOMERS.items():
        customer = Customer.objects.filter(slug=slug).first() or create_customer(
            slug, name, provider=provider, by=SYSTEM
        )
        _ensure_mailboxes(customer)
    if (operator := _newcomer(OPERATOR, "Olivia Operator")) is not None:
        add_membership(operator, provider=provider, role="owner", by=SYSTEM)
    if (admin := _newcomer(ADMIN, "Adam Admin")) is not None:
        add_membership(admin, customer=Customer.objects.get(slug="acme"), role="admin", by=SYSTEM)
    _newcomer(STAFF, "Stefanie Staff", staff=True)
    # With one of these the visitor's own first customer appears in a blink. Here they cost little: the worker, for which
    # each new customer has rung, would run all migrations once more while everybody waits.
    spares.refill()


def people() -> list[User]:
    """The demo's people in this database who are not switched off, those that an earlier release made too."""
    candidates = User.objects.filter(Q(is_demo=True) | Q(email__in=PEOPLE), is_active=True)
    return [
        user
        for user in candidates.order_by("email")
        if user.is_demo or check_password(DEMO_PASSWORD, user.password)
    ]


def _newcomer(email: str, name: str, *, staff: bool = False) -> User | None:
    if User.objects.filter(email=email).exists():
        return None
    user, _ = create_person(email, name=name, staff=staff, demo_hash=_hash(), by=SYSTEM)
    return user


@cache
def _hash() -> str:
    """One for all of them: that theirs is the same is no secret, and each would take a quarter of a second."""
    return make_password(DEMO_PASSWORD)


def _ensure_mailboxes(customer: Customer) -> None:
    with tenant_context(customer):
        if Mailbox.objects.exists():
            return
    for name, description, kind, count in MAILBOXES[customer.slug]:
        mailbox, _ = create_mailbox(customer, name=name, description=description, by=SYSTEM)
        for number in range(1, count + 1):
            message = _mail(customer, number)
            if kind == "report":
                message = _journal_report(message, mailbox.address)
            recipient = delivery.resolve(mailbox.address, peer="127.0.0.1")
            visit = delivery_log.Visit.of_mail(peer="192.0.2.25", hello="demo.invalid", tls="TLSv1.3")
            delivery.deliver([recipient], _pieces(message), trace=_trace, visit=visit)


def _pieces(message: EmailMessage) -> Iterator[bytes]:
    yield message.as_bytes(policy=SMTP)


def _trace(recipient: delivery.Recipient) -> bytes:
    when = format_datetime(timezone.now())
    return (
        b"Return-Path: <>\r\n"
        + f"Received: from demo by {settings.MAIL_DOMAIN} for <{recipient.address}>;\r\n\t{when}\r\n".encode()
    )


def _mail(customer: Customer, number: int) -> EmailMessage:
    domain = f"{customer.slug}.example"
    message = EmailMessage()
    message["From"] = f"Lena Lang <lena@{domain}>"
    message["To"] = "Orders <orders@supplier.example>"
    message["Subject"] = f"Order {4700 + number}: 12 toner cartridges"
    message["Date"] = format_datetime(timezone.now())
    message["Message-ID"] = f"<order-{4700 + number}@{domain}>"
    message.set_content(
        f"Good morning,\n\nplease deliver order {4700 + number} to our warehouse by Friday.\n\nLena Lang\n{customer.name}\n"
    )
    message.add_attachment(
        b"%PDF-1.4\n" + bytes(range(256)) * 40, maintype="application", subtype="pdf", filename="order.pdf"
    )
    return message


def _journal_report(original: EmailMessage, address: str) -> EmailMessage:
    """An envelope journal report as Exchange sends it: a summary, and the mail as an attachment."""
    report = EmailMessage()
    report["From"] = "Microsoft Outlook <MicrosoftExchange@acme.example>"
    report["To"] = address
    report["Subject"] = original["Subject"]
    report["Date"] = original["Date"]
    report["X-MS-Journal-Report"] = ""
    report.set_content(
        f"Sender: {original['From']}\nSubject: {original['Subject']}\nMessage-Id: {original['Message-ID']}\n"
        f"Recipient: {original['To']}\n"
    )
    report.add_attachment(original)
    return report
