"""Where tours take place: a provider with customers, new people for each tour, and what happens while they look on."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.core import mail
from django.core.cache import cache
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from accounts.models import User
from accounts.services import create_person, mail_reset_link
from mailboxes.models import Job, Mailbox
from mailboxes.services import create_mailbox, delivery_log, reset_password
from mailboxes.services.delivery_log import Direction, Reason, Visit
from mailboxes.work.slices import work_slice
from tenants import audit, branding
from tenants.models import Customer, Membership, Provider
from tenants.services import (
    activate_customer,
    add_membership,
    create_customer,
    create_provider,
    invite,
    suspend_customer,
)
from tests.accounts.factors import Clock
from tests.cast import PASSWORD
from tests.tenants.drawing import picture

Meanwhile = Callable[[Callable[[], Any]], Any]

# Data, not texts: the same in every language.
OWNER, OPERATOR, ADMIN, VIEWER = "Olga Petrowa", "Omar Haddad", "Adam Nowak", "Vito Bianchi"
GUEST = "Nora Lindqvist"
VIEWER += "-Donaudampfschifffahrtsgesellschaftskapitän"  # knows no spaces either
PROVIDER, CUSTOMER, EMPTY_CUSTOMER = (
    "Northwind IT",
    "Contoso",
    "Tailspin-" + "Spielwarenvertriebsgesellschaft" * 2,
)
NAME = "Rechtsabteilungsjournalpostfachnachfolger-" * 2  # knows no spaces
CROWD = 60  # more than fit one page
DESCRIPTION = "Vorratsdatenspeicherungsverantwortlichkeit " * 2  # lists show 120 characters
REASON = "Donaudampfschifffahrtsgesellschaftskapitänswitwenrente " * 3


@dataclass
class Company:
    """The people of one tour."""

    number: int
    owner: User
    operator: User
    admin: User
    viewer: User


class Life:
    """A mailbox with mail, and what becomes of it."""

    def __init__(
        self, customer: Customer, admin: User, meanwhile: Meanwhile, send: Callable[..., bytes]
    ) -> None:
        self._customer, self._admin, self._meanwhile, self._send = customer, admin, meanwhile, send
        self.mailbox, password = meanwhile(
            lambda: create_mailbox(customer, name=NAME, description=DESCRIPTION, by=admin)
        )
        self.name, self.password = NAME, password.reveal()
        self.url = f"/mailboxes/{self.mailbox.pk}/"

    def receives_mail(self) -> None:
        assert self._send(b"Subject: 1\r\n\r\nHello.\r\n", self.mailbox.address).startswith(b"250 ")

    def refuses_strangers(self) -> None:
        """So that its log of deliveries has something of each kind."""

        def note() -> None:
            for direction, reason, reply in (
                (Direction.DELIVERY, Reason.NETWORK, "550 5.7.1"),
                (Direction.DELIVERY, Reason.BROKEN_OFF, ""),
                (Direction.COLLECTION, Reason.WRONG_PASSWORD, "-ERR [AUTH]"),
            ):
                hello = "a-host-with-a-very-long-name.mail.contoso.example"
                visit = Visit(
                    direction, reason, reply=reply, peer="2001:db8:85a3::8a2e:370:7334", hello=hello
                )
                delivery_log.note(self.mailbox.address, visit, attempts=30)

        self._meanwhile(note)

    def is_reset(self, **how: Any) -> str | None:
        """Gives the path of the job's page, if there is one."""
        password, job = self._meanwhile(
            lambda: reset_password(self._customer, self.mailbox, by=self._admin, **how)
        )
        self.password = password.reveal()
        return job and f"/mailboxes/jobs/{job.pk}/"

    def job_is(self, **values: Any) -> None:
        def write() -> None:
            with tenant_context(self._customer):
                Job.objects.filter(mailbox_id=self.mailbox.pk).update(**values)

        self._meanwhile(write)

    def leaves_a_ruined_certificate(self) -> str:
        """Of another one, as if somebody had altered the database; gives the path of its page."""
        pk = str(uuid4())
        ruined = {"customer": self._customer, "target": ("mailbox", pk, self.name), "data": {}}
        self._meanwhile(lambda: audit.record("mailbox.deleted", **ruined, by=SYSTEM))
        return f"/mailboxes/deleted/{pk}/"

    def is_worked_on(self) -> None:
        def work() -> None:
            with tenant_context(self._customer):
                jobs = list(Job.objects.values_list("pk", flat=True))
            for job in jobs:
                while work_slice(self._customer, job):
                    pass

        self._meanwhile(work)


class Stage:
    """One provider with two customers, of which one has many people and never a mailbox."""

    def __init__(self, meanwhile: Meanwhile, send: Callable[..., bytes], clock: Clock) -> None:
        self.provider: Provider = create_provider("stage", PROVIDER, by=SYSTEM)
        self.customer: Customer = create_customer("contoso", CUSTOMER, provider=self.provider, by=SYSTEM)
        self.empty: Customer = create_customer("tailspin", EMPTY_CUSTOMER, provider=self.provider, by=SYSTEM)
        crowd = User.objects.bulk_create(
            User(email=f"viewer{number}@tailspin.example", name=VIEWER) for number in range(CROWD)
        )
        Membership.objects.bulk_create(
            Membership(user=one, customer=self.empty, role="viewer") for one in crowd
        )
        self.clock = clock
        self._meanwhile, self._send, self._companies = meanwhile, send, 0

    def wears_its_own_look(self) -> None:
        """A colour that gives way in the light, and all else that a provider can say of itself."""

        def decide() -> None:
            support = {"support_email": "help@contoso.example", "support_phone": "+49 30 0000 2200"}
            website = "https://contoso.example/"
            branding.set_branding(
                self.provider, name=PROVIDER, colour="#ffcc00", support_url=website, **support, by=SYSTEM
            )
            branding.set_logo(self.provider, picture(), by=SYSTEM)

        self._meanwhile(decide)

    def gives_that_up(self) -> None:
        self._meanwhile(lambda: branding.reset_branding(self.provider, by=SYSTEM))

    def is_suspended(self, suspended: bool) -> None:
        if suspended:
            self._meanwhile(lambda: suspend_customer(self.customer, reason=REASON, by=SYSTEM))
        else:
            self._meanwhile(lambda: activate_customer(self.customer, by=SYSTEM))

    def company(self) -> Company:
        """People whom nobody has seen before, in a quiet moment: nothing is counted against them."""
        self._companies += 1

        def enrol(name: str, role: str, **place: Any) -> User:
            email = f"{role}{self._companies}@contoso.example"
            person, _ = create_person(email, name=name, password=PASSWORD, by=SYSTEM)
            add_membership(person, role=role, by=SYSTEM, **place)
            return person

        def assemble() -> Company:
            cache.clear()
            mail.outbox.clear()
            return Company(
                self._companies,
                enrol(OWNER, "owner", provider=self.provider),
                enrol(OPERATOR, "operator", provider=self.provider),
                enrol(ADMIN, "admin", customer=self.customer),
                enrol(VIEWER, "viewer", customer=self.customer),
            )

        company: Company = self._meanwhile(assemble)
        return company

    def life(self, company: Company) -> Life:
        return Life(self.customer, company.admin, self._meanwhile, self._send)

    def way_was_tested(self) -> None:
        """To the mailboxes for which somebody has asked: what a worker found, of each kind."""
        at = {"address": "2001:db8:85a3::8a2e:370:7334", "port": 25, "mail": "gateway.contoso.example"}
        at |= {"why": "certificate has expired", "until": "2026-12-01T08:00:00+00:00"}
        findings = [
            {"step": "name", "code": "found", "ok": True, **at},
            {"step": "certificate", "code": "untrusted", "ok": None, **at},
            {"step": "reply", "code": "refused", "ok": False, "reply": "550 5.7.1"},
        ]

        def write() -> None:
            with tenant_context(self.customer):
                for mailbox in Mailbox.objects.exclude(reach_test=None):
                    mailbox.reach_test |= {"findings": findings}
                    mailbox.save(update_fields=["reach_test"])

        self._meanwhile(write)

    def requires_a_second_factor(self, required: bool) -> None:
        providers = Provider.objects.filter(pk=self.provider.pk)
        self._meanwhile(lambda: providers.update(require_second_factor=required))

    def invites(self, company: Company, email: str) -> str:
        """Gives the path of the link in the mail."""
        self._meanwhile(lambda: invite(self.customer, email, role="viewer", by=company.admin))
        return self.mailed(r"/invitations/\S+/")

    def mails_a_way_back(self, person: User) -> str:
        """As a worker does when somebody has forgotten the password; gives the path of the link in the mail."""
        self._meanwhile(lambda: mail_reset_link(person.email))
        return self.mailed(r"/accounts/password/reset/key/\S+/")

    def makes_staff(self, person: User) -> None:
        people = User.objects.filter(pk=person.pk)
        self._meanwhile(lambda: people.update(is_staff=True, is_superuser=True))

    def locks_out(self, person: User) -> None:
        self._meanwhile(lambda: User.objects.filter(pk=person.pk).update(is_active=False))

    def mailed(self, path: str) -> str:
        """The path of the link in the last mail."""
        found = re.search(rf"^https?://[^/\s]+({path})$", mail.outbox[-1].body, re.MULTILINE)
        assert found, mail.outbox[-1].body
        return found[1]
