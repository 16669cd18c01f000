"""The table of the second wall: every verb of the rooms' front doors, and who may call it, whatever page led there."""

import inspect
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.test import override_settings
from django.utils import timezone
from django_tenants.utils import tenant_context

import accounts.services
import mailboxes.services
import tenants.activity
import tenants.branding
import tenants.figures
import tenants.identity
import tenants.services
from accounts.actors import SYSTEM
from accounts.errors import NoSuchSession, SomebodyElses
from accounts.models import User
from accounts.services import create_person
from mailboxes import backup, services
from mailboxes import measuring as busy
from mailboxes.backup.errors import BackupError
from mailboxes.models import Job, Mailbox
from mailboxes.services import creation, damage, delivery, janitor, jobs, moving, offers, passwords
from mailboxes.work.slices import work_slice
from portal.languages.catalogs import ROOT
from tenants import branding, bringing, errors, identity, measuring
from tenants.access import Right
from tenants.identity import errors as identity_errors
from tenants.models import Customer, IdentityProvider, Invitation, Membership, Provider
from tenants.services.authority import limit_to
from tenants.services.invitations import hash_of
from tests import cast
from tests.tenants.kit import page

# The doors by which faces come to verbs: what stands in __all__ of one is a verb. The contract "Faces ask services" in
# pyproject.toml names the same ones.
FRONT_DOORS: tuple[ModuleType, ...] = (
    mailboxes.services,
    tenants.services,
    accounts.services,
    tenants.activity,
    tenants.branding,
    tenants.identity,
    tenants.figures,
)
# What commands, tasks and the gateway alone enter; every function of these is a verb.
SIDE_DOORS: tuple[ModuleType, ...] = (damage, janitor, moving, backup, bringing, measuring, busy)
# What else that contract lets every face import, each with the reason why no verb is there.
NO_VERBS: dict[str, str] = {
    "*.errors": "what a room refuses",
    "*.models": "rows that verbs hand out",
    "accounts.adapters.*": "allauth's own way in, held to the first wall by its pages",
    "accounts.addresses": "how an address is written",
    "accounts.demo": "whether this is the demo",
    "accounts.devices": "what a browser is called",
    "accounts.names": "how a name is written",
    "accounts.openid.*": "asks identity providers, before anybody has signed in",
    "accounts.peers": "how a network address is written",
    "accounts.second_factor": "tells of the person at hand alone",
    "accounts.zones": "clocks",
    "tenants.access": "the rights that verbs ask for",
    "tenants.answering": "whether workers answer",
    "tenants.identity.errors": "what is refused there",
    "tenants.last_backup": "of when the last backup is",
    "tenants.sizes": "how a size is written",
    "tenants.slugs": "how a short name is written",
}

# --- Who tries ---
EVERYBODY = frozenset(
    {
        "owner",
        "operator",
        "limited",  # an operator limited to Acme
        "elsewhere",  # an operator limited to Globex
        "auditor",
        "admin",
        "viewer",
        "mallory",
        "rival",
        "staff",
        "clerk",  # platform staff to whom no permission was given
        "stranger",
        "inactive",  # an owner whose account is switched off
        "anonymous",
        "nobody",  # no actor at all, as from a caller who forgot
        "system",
    }
)
# --- Who may: at Acme, at Northwind, at the platform ---
LOOK = frozenset({"owner", "operator", "limited", "auditor", "admin", "viewer", "system"})
OVERSEE = frozenset({"owner", "operator", "limited", "auditor", "system"})
RUN = frozenset({"owner", "operator", "limited", "system"})
FOUND = frozenset({"owner", "operator", "system"})
CHANGE = frozenset({"owner", "operator", "limited", "admin", "system"})
PEOPLE = frozenset({"owner", "admin", "system"})
TEAM = frozenset({"owner", "operator", "limited", "elsewhere", "auditor", "system"})
OWNER = frozenset({"owner", "system"})
STAFF = frozenset({"staff", "system"})
ANY_STAFF = frozenset({"staff", "clerk", "system"})
THE_SYSTEM = frozenset({"system"})
OWN = frozenset({"viewer", "system"})
# Of a new password: which session is kept, and where it was typed.
NOWHERE: dict[str, Any] = {"keep": None, "ip": "", "user_agent": ""}


@dataclass
class Stage:
    """Acme and Northwind with all that a verb can be about. Rows are read anew each time: verbs change theirs."""

    people: dict[str, Any]
    boxes: dict[str, Any]
    jobs: dict[str, Any]
    invitations: dict[str, int]
    password: str
    new_mailbox: dict[str, Any]
    new_password: dict[str, Any]

    @property
    def acme(self) -> Customer:
        return cast.customer("acme")

    @property
    def globex(self) -> Customer:
        return cast.customer("globex")

    @property
    def northwind(self) -> Provider:
        return cast.provider("northwind")

    @property
    def viewer(self) -> User:
        """To whom things are done."""
        return User.objects.get(pk=self.people["viewer"].pk)

    @property
    def own_token(self) -> str:
        return accounts.services.offer_password(self.viewer, by=SYSTEM).token

    @property
    def new_factor(self) -> Authenticator:
        return Authenticator(pk=1, user=self.viewer, type=Authenticator.Type.TOTP)

    @property
    def viewers_role(self) -> Membership:
        return Membership.objects.get(user=self.people["viewer"])

    @property
    def auditors_role(self) -> Membership:
        return Membership.objects.get(user=self.people["auditor"])

    @property
    def ownerless(self) -> Provider:
        """A provider to which nobody has come yet."""
        return cast.provider("ownerless")

    @property
    def newborn(self) -> Customer:
        """A customer to which nobody has come yet."""
        return cast.customer("newborn")

    @property
    def identity_provider(self) -> IdentityProvider:
        return IdentityProvider.objects.select_related("provider", "app").get()

    def box(self, name: str) -> Mailbox:
        return services.mailbox_for(SYSTEM, self.acme, self.boxes[name], Right.VIEW_MAILBOXES)

    def job(self, name: str) -> Job:
        return services.job_for(SYSTEM, self.acme, self.jobs[name])

    def invitation(self, name: str) -> Invitation:
        return Invitation.objects.get(pk=self.invitations[name])

    def mailbox_token(self, by: Any, customer: Customer | None = None) -> str:
        """An offer that was made to whoever tries, so that nothing but the right is missing."""
        return offers.sign(creation.SALT, customer or self.acme, _signer(by), **self.new_mailbox)

    def reset_token(self, by: Any, customer: Customer | None = None) -> str:
        return offers.sign(passwords.SALT, customer or self.acme, _signer(by), **self.new_password)


Call = Callable[[Stage, Any], Any]


@dataclass(frozen=True)
class Line:
    """Who may, and a call in which nothing but the right can be missing.

    `refusal` is what the others get. `ends` names a refusal with which the call ends for those who may, where the
    whole act would be slow.
    """

    may: frozenset[str]
    call: Call
    refusal: type[Exception] = errors.NotAllowed
    ends: type[Exception] | None = None


# A verb with two kinds of places has a line for each: what follows a blank is no part of the name.
TABLE: dict[str, Line] = {
    # --- Mailboxes ---
    "mailboxes.services.accept": Line(
        CHANGE,
        lambda s, by: services.accept(s.acme, s.mailbox_token(by), by=by, name="New", understood=True),
    ),
    "mailboxes.services.accept_reset": Line(
        CHANGE,
        lambda s, by: services.accept_reset(s.acme, s.box("kept"), s.reset_token(by), by=by, understood=True),
    ),
    "mailboxes.services.activate_mailbox": Line(
        CHANGE, lambda s, by: services.activate_mailbox(s.acme, s.box("suspended"), by=by)
    ),
    "mailboxes.services.activity": Line(LOOK, lambda s, by: services.activity(s.acme, s.box("kept"), by=by)),
    "mailboxes.services.certificate_of": Line(
        LOOK, lambda s, by: services.certificate_of(s.acme, s.boxes["gone"], by=by)
    ),
    "mailboxes.services.certificates": Line(LOOK, lambda s, by: services.certificates(s.acme, by=by)),
    "mailboxes.services.create_mailbox": Line(
        CHANGE, lambda s, by: services.create_mailbox(s.acme, by=by, name="New")
    ),
    "mailboxes.services.delete_locked_mail": Line(
        CHANGE, lambda s, by: services.delete_locked_mail(s.acme, s.box("locked"), by=by)
    ),
    "mailboxes.services.edit_mailbox": Line(
        CHANGE,
        lambda s, by: services.edit_mailbox(s.acme, s.box("kept"), by=by, name="Else", description=""),
    ),
    "mailboxes.services.job_for": Line(LOOK, lambda s, by: services.job_for(by, s.acme, s.jobs["failed"])),
    "mailboxes.services.deliveries_of": Line(
        LOOK, lambda s, by: services.deliveries_of(s.acme, s.box("kept"), by=by)
    ),
    "mailboxes.services.reach_test_of": Line(
        LOOK, lambda s, by: services.reach_test_of(s.acme, s.box("kept"), by=by)
    ),
    "mailboxes.services.start_reach_test": Line(
        CHANGE, lambda s, by: services.start_reach_test(s.acme, s.box("kept"), by=by)
    ),
    "mailboxes.services.jobs_of": Line(LOOK, lambda s, by: services.jobs_of(s.acme, s.box("kept"), by=by)),
    "mailboxes.services.list_mailboxes": Line(
        LOOK, lambda s, by: services.list_mailboxes(s.acme, by=by), ends=ValueError
    ),
    "mailboxes.services.losses": Line(CHANGE, lambda s, by: services.losses(s.acme, s.box("kept"), by=by)),
    "mailboxes.services.behind": Line(LOOK, lambda s, by: services.behind(s.acme, s.box("kept"), by=by)),
    "mailboxes.services.deleted_by": Line(LOOK, lambda s, by: services.deleted_by(s.acme, [], by=by)),
    "mailboxes.services.origins_of": Line(LOOK, lambda s, by: services.origins_of(s.acme, [], by=by)),
    "mailboxes.services.mailboxes_left": Line(LOOK, lambda s, by: services.mailboxes_left(s.acme, by=by)),
    "mailboxes.services.use_of": Line(LOOK, lambda s, by: services.use_of(s.acme, by=by)),
    "mailboxes.services.mailbox_by_address": Line(
        LOOK, lambda s, by: services.mailbox_by_address(s.acme, s.box("kept").address, by=by)
    ),
    "mailboxes.services.mailbox_for": Line(
        LOOK, lambda s, by: services.mailbox_for(by, s.acme, s.boxes["kept"], Right.VIEW_MAILBOXES)
    ),
    "mailboxes.services.mailbox_for to change": Line(
        CHANGE, lambda s, by: services.mailbox_for(by, s.acme, s.boxes["kept"], Right.EDIT_MAILBOX)
    ),
    "mailboxes.services.offer": Line(CHANGE, lambda s, by: services.offer(s.acme, by=by, name="New")),
    "mailboxes.services.offer_reset": Line(
        CHANGE,
        lambda s, by: services.offer_reset(s.acme, s.box("kept"), by=by, locked_mail="keep"),
    ),
    "mailboxes.services.sign_in_refusals_of": Line(
        LOOK, lambda s, by: services.sign_in_refusals_of(s.acme, s.box("kept"), by=by)
    ),
    "mailboxes.services.reset_password": Line(
        CHANGE,
        lambda s, by: services.reset_password(s.acme, s.box("kept"), by=by, locked_mail="keep"),
    ),
    "mailboxes.services.retry": Line(CHANGE, lambda s, by: services.retry(s.acme, s.job("failed"), by=by)),
    "mailboxes.services.start_deletion": Line(
        CHANGE, lambda s, by: services.start_deletion(s.acme, s.box("suspended"), by=by)
    ),
    "mailboxes.services.suspend_mailbox": Line(
        CHANGE, lambda s, by: services.suspend_mailbox(s.acme, s.box("kept"), by=by)
    ),
    "mailboxes.services.unlock": Line(
        CHANGE, lambda s, by: services.unlock(s.acme, s.box("locked"), s.password, by=by)
    ),
    "mailboxes.services.janitor.check_store": Line(
        THE_SYSTEM, lambda s, by: janitor.check_store(s.acme, by=by)
    ),
    "mailboxes.services.janitor.nobodys_folders": Line(
        THE_SYSTEM, lambda s, by: janitor.nobodys_folders(by=by)
    ),
    "mailboxes.services.damage.try_all_again": Line(
        THE_SYSTEM, lambda s, by: damage.try_all_again(s.acme, by=by)
    ),
    # Onto a place that is none: for those who may, a backup takes its time.
    "mailboxes.backup.back_up": Line(
        THE_SYSTEM, lambda s, by: backup.back_up("nowhere", by=by), ends=BackupError
    ),
    "mailboxes.backup.verify_backup": Line(
        THE_SYSTEM, lambda s, by: backup.verify_backup("nowhere", by=by), ends=BackupError
    ),
    "mailboxes.backup.restore": Line(
        THE_SYSTEM, lambda s, by: backup.restore("nowhere", "", by=by), ends=BackupError
    ),
    "mailboxes.backup.export_customer": Line(
        THE_SYSTEM, lambda s, by: backup.export_customer("nowhere", s.acme, by=by), ends=BackupError
    ),
    "mailboxes.backup.restore_customer": Line(
        THE_SYSTEM, lambda s, by: backup.restore_customer("nowhere", "", "acme", by=by), ends=BackupError
    ),
    "mailboxes.backup.write_secrets": Line(
        THE_SYSTEM,
        lambda s, by: backup.write_secrets("nowhere", "", Path("nowhere"), by=by),
        ends=BackupError,
    ),
    "mailboxes.services.moving.move_store": Line(THE_SYSTEM, lambda s, by: _move_between_folders(by)),
    # --- Providers and customers ---
    "tenants.measuring.make_empty_customers": Line(
        STAFF,
        lambda s, by: measuring.make_empty_customers(1, by=by),
        ends=measuring.NotForMeasuring,
    ),
    "mailboxes.measuring.make_busy_customers": Line(
        STAFF,
        lambda s, by: busy.make_busy_customers(1, mailboxes=1, days=1, by=by),
        ends=measuring.NotForMeasuring,
    ),
    "tenants.measuring.remove_empty_customers": Line(
        THE_SYSTEM,
        lambda s, by: measuring.remove_empty_customers(by=by),
        ends=measuring.NotForMeasuring,
    ),
    "tenants.bringing.bring_back": Line(
        THE_SYSTEM,
        lambda s, by: bringing.bring_back(s.acme, fill_schema=str, by=by),
        ends=errors.SlugTaken,
    ),
    "tenants.bringing.bring_customer": Line(
        THE_SYSTEM,
        lambda s, by: bringing.bring_customer(
            Customer(slug="acme", name="Acme", provider=s.northwind), fill_schema=str, by=by
        ),
        ends=errors.SlugTaken,
    ),
    "tenants.services.activate_customer": Line(
        RUN | STAFF, lambda s, by: tenants.services.activate_customer(s.acme, by=by)
    ),
    "tenants.services.suspend_customer": Line(
        RUN | STAFF, lambda s, by: tenants.services.suspend_customer(s.acme, reason="Unpaid", by=by)
    ),
    "tenants.services.customer_for": Line(
        OVERSEE,
        lambda s, by: tenants.services.customer_for(by, "acme", Right.OVERSEE_CUSTOMER),
        refusal=errors.NoSuchCustomer,
    ),
    "tenants.services.customer_for to change it": Line(
        RUN,
        lambda s, by: tenants.services.customer_for(by, "acme", Right.EDIT_CUSTOMER),
        refusal=errors.TenantError,  # to an auditor another one than to who does not know of it
    ),
    "tenants.services.found_customer": Line(
        FOUND - {"system"},  # for whom nobody would stand
        lambda s, by: tenants.services.found_customer(
            "acme", "Acme", provider=s.northwind, admin_email="new@acme.example", by=by
        ),
        ends=errors.SlugTaken,
    ),
    "tenants.services.invite_first_admin": Line(
        FOUND - {"system"},
        lambda s, by: tenants.services.invite_first_admin(s.newborn, "new@globex.example", by=by),
    ),
    "tenants.services.create_customer": Line(
        FOUND | STAFF,
        lambda s, by: tenants.services.create_customer("acme", "Acme", provider=s.northwind, by=by),
        ends=errors.SlugTaken,
    ),
    "tenants.services.create_provider": Line(
        STAFF, lambda s, by: tenants.services.create_provider("umbrella", "Umbrella", by=by)
    ),
    "tenants.services.customer_by_slug": Line(
        STAFF, lambda s, by: tenants.services.customer_by_slug("acme", by=by)
    ),
    "tenants.services.edit_customer": Line(
        RUN | STAFF,
        lambda s, by: tenants.services.edit_customer(
            s.acme, name="Else", allowed_networks=[], mailbox_quota_octets=None, by=by
        ),
    ),
    "tenants.services.give_up_customer": Line(
        THE_SYSTEM,
        lambda s, by: tenants.services.give_up_customer(s.acme, by=by),
        ends=errors.SchemaIsThere,
    ),
    "tenants.services.provider_by_slug": Line(
        STAFF, lambda s, by: tenants.services.provider_by_slug("northwind", by=by)
    ),
    "tenants.services.found_provider": Line(
        frozenset({"staff"}),  # for the system nobody would stand
        lambda s, by: tenants.services.found_provider(
            "umbrella", "Umbrella", owner_email="new@umbrella.example", by=by
        ),
    ),
    "tenants.services.invite_first_owner": Line(
        frozenset({"staff"}),
        lambda s, by: tenants.services.invite_first_owner(s.ownerless, "new@umbrella.example", by=by),
    ),
    "tenants.services.set_provider_time_zone": Line(
        STAFF,
        lambda s, by: tenants.services.set_provider_time_zone(
            s.northwind, time_zone="Australia/Sydney", by=by
        ),
    ),
    "tenants.services.rename_provider": Line(
        STAFF, lambda s, by: tenants.services.rename_provider(s.northwind, name="Else", by=by)
    ),
    "tenants.services.people_under_policy": Line(
        OWNER, lambda s, by: tenants.services.people_under_policy(s.northwind, by=by)
    ),
    "tenants.services.set_security_policy": Line(
        OWNER,
        lambda s, by: tenants.services.set_security_policy(s.northwind, require_second_factor=False, by=by),
    ),
    "tenants.services.consent_to_identity_provider": Line(
        frozenset({"admin"}),  # nobody of the provider, nor the system in the customer's place
        lambda s, by: tenants.services.consent_to_identity_provider(
            s.acme, given=True, service=s.identity_provider.service, by=by
        ),
    ),
    # --- People and their roles ---
    "tenants.services.accept_invitation": Line(
        frozenset({"stranger"}),
        lambda s, by: tenants.services.accept_invitation(s.invitation("stranger"), by=by),
        refusal=errors.ForSomebodyElse,
    ),
    "tenants.services.add_membership": Line(
        STAFF,
        lambda s, by: tenants.services.add_membership(
            s.people["stranger"], role="viewer", customer=s.acme, by=by
        ),
    ),
    "tenants.services.change_member": Line(
        PEOPLE,
        lambda s, by: tenants.services.change_member(s.acme, s.viewers_role.pk, role="admin", by=by),
    ),
    "tenants.services.change_member of a team": Line(
        OWNER,
        lambda s, by: tenants.services.change_member(s.northwind, s.auditors_role.pk, role="operator", by=by),
    ),
    "tenants.services.change_person": Line(
        STAFF,
        lambda s, by: tenants.services.change_person(
            s.people["stranger"], **page(s.people["stranger"], email="else@acme.example"), by=by
        ),
    ),
    "tenants.services.change_role": Line(
        STAFF, lambda s, by: tenants.services.change_role(s.viewers_role, role="admin", by=by)
    ),
    "tenants.services.create_member": Line(
        STAFF,
        lambda s, by: tenants.services.create_member(
            "new@acme.example", role="viewer", customer=s.acme, by=by
        ),
    ),
    "tenants.services.invite": Line(
        PEOPLE - {"system"},  # for whom nobody would stand
        lambda s, by: tenants.services.invite(s.acme, "new@acme.example", role="viewer", by=by),
    ),
    "tenants.services.invite to a team": Line(
        OWNER - {"system"},
        lambda s, by: tenants.services.invite(s.northwind, "new@acme.example", role="auditor", by=by),
    ),
    "tenants.services.invited": Line(LOOK, lambda s, by: list(tenants.services.invited(s.acme, by=by))),
    "tenants.services.invited to a team": Line(
        TEAM, lambda s, by: list(tenants.services.invited(s.northwind, by=by))
    ),
    "tenants.services.let_in": Line(THE_SYSTEM, lambda s, by: tenants.services.let_in(s.viewer.email, by=by)),
    "tenants.services.member": Line(
        LOOK, lambda s, by: tenants.services.member(s.acme, s.viewers_role.pk, by=by)
    ),
    "tenants.services.member of a team": Line(
        TEAM, lambda s, by: tenants.services.member(s.northwind, s.auditors_role.pk, by=by)
    ),
    "tenants.services.members": Line(LOOK, lambda s, by: list(tenants.services.members(s.acme, by=by))),
    "tenants.services.members of a team": Line(
        TEAM, lambda s, by: list(tenants.services.members(s.northwind, by=by))
    ),
    "tenants.services.remove_member": Line(
        PEOPLE, lambda s, by: tenants.services.remove_member(s.acme, s.viewers_role.pk, by=by)
    ),
    "tenants.services.remove_member of a team": Line(
        OWNER, lambda s, by: tenants.services.remove_member(s.northwind, s.auditors_role.pk, by=by)
    ),
    "tenants.services.remove_membership": Line(
        STAFF, lambda s, by: tenants.services.remove_membership(s.viewers_role, by=by)
    ),
    "tenants.services.send_invitation_again": Line(
        PEOPLE - {"system"},
        lambda s, by: tenants.services.send_invitation_again(s.acme, s.invitations["acme"], by=by),
    ),
    "tenants.services.send_invitation_again to a team": Line(
        OWNER - {"system"},
        lambda s, by: tenants.services.send_invitation_again(s.northwind, s.invitations["northwind"], by=by),
    ),
    "tenants.services.switch_off": Line(STAFF, lambda s, by: tenants.services.switch_off(s.viewer, by=by)),
    "tenants.services.switch_on": Line(
        STAFF,
        lambda s, by: tenants.services.switch_on(User.objects.get(pk=s.people["inactive"].pk), by=by),
    ),
    "tenants.services.withdraw_invitation": Line(
        PEOPLE, lambda s, by: tenants.services.withdraw_invitation(s.acme, s.invitations["acme"], by=by)
    ),
    "tenants.services.withdraw_invitation of a team": Line(
        OWNER,
        lambda s, by: tenants.services.withdraw_invitation(s.northwind, s.invitations["northwind"], by=by),
    ),
    # --- A person's own account, here the viewer's ---
    "accounts.services.accept_password": Line(
        OWN,
        lambda s, by: accounts.services.accept_password(s.viewer, s.own_token, by=by, **NOWHERE),
        refusal=SomebodyElses,
    ),
    "accounts.services.choose_password": Line(
        OWN,
        lambda s, by: accounts.services.choose_password(
            s.viewer, "four-words-no-one-heard", by=by, **NOWHERE
        ),
        refusal=SomebodyElses,
    ),
    "accounts.services.create_person": Line(
        THE_SYSTEM,
        lambda s, by: accounts.services.create_person("new@acme.example", by=by),
        refusal=SomebodyElses,
    ),
    "accounts.services.end_all_sessions": Line(
        OWN, lambda s, by: accounts.services.end_all_sessions(s.viewer, by=by), refusal=SomebodyElses
    ),
    "accounts.services.end_other_sessions": Line(
        OWN,
        lambda s, by: accounts.services.end_other_sessions(s.viewer, by=by, keep=None),
        refusal=SomebodyElses,
    ),
    "accounts.services.end_session": Line(
        OWN,
        lambda s, by: accounts.services.end_session(s.viewer, 1, by=by),
        refusal=SomebodyElses,
        ends=NoSuchSession,
    ),
    "accounts.services.offer_password": Line(
        OWN, lambda s, by: accounts.services.offer_password(s.viewer, by=by), refusal=SomebodyElses
    ),
    "accounts.services.changing_factors": Line(
        OWN, lambda s, by: _changes_factors(s.viewer, by=by), refusal=SomebodyElses
    ),
    "accounts.services.reading_codes": Line(
        OWN, lambda s, by: _reads_codes(s.viewer, by=by), refusal=SomebodyElses
    ),
    "accounts.services.remove_factors": Line(
        THE_SYSTEM, lambda s, by: accounts.services.remove_factors(s.viewer, by=by), refusal=SomebodyElses
    ),
    "accounts.services.rely_on_factor": Line(
        OWN,
        lambda s, by: accounts.services.rely_on_factor(s.viewer, s.new_factor, by=by, keep=None),
        refusal=SomebodyElses,
    ),
    "accounts.services.reset_link": Line(
        THE_SYSTEM, lambda s, by: accounts.services.reset_link(s.viewer, by=by), refusal=SomebodyElses
    ),
    "accounts.services.save_settings": Line(
        OWN,
        lambda s, by: accounts.services.save_settings(
            s.viewer, by=by, name="Else", language="", time_zone="", theme="system"
        ),
        refusal=SomebodyElses,
    ),
    "accounts.services.sessions_of": Line(
        OWN, lambda s, by: accounts.services.sessions_of(s.viewer, by=by), refusal=SomebodyElses
    ),
    "accounts.services.use_up_code": Line(
        OWN,
        lambda s, by: accounts.services.use_up_code(s.viewer, "123456", by=by),
        refusal=SomebodyElses,
    ),
    # --- What was done, and identity providers ---
    "tenants.activity.activity_at": Line(
        LOOK, lambda s, by: tenants.activity.reading.activity_at(s.acme, by=by)
    ),
    "tenants.activity.activity_for": Line(
        TEAM - {"system"} | {"rival"},  # each at their own providers
        lambda s, by: tenants.activity.reading.activity_for(by),
    ),
    "tenants.branding.branding_of": Line(OWNER, lambda s, by: branding.branding_of(s.northwind, by=by)),
    "tenants.branding.set_branding": Line(
        OWNER,
        lambda s, by: branding.set_branding(
            s.northwind,
            name="Else",
            colour="#0d6b5f",
            support_email="help@northwind.example",
            support_phone="1",
            support_url="",
            by=by,
        ),
    ),
    "tenants.branding.set_logo": Line(
        OWNER,
        lambda s, by: branding.set_logo(s.northwind, b"no picture", by=by),
        ends=errors.InvalidLogo,
    ),
    "tenants.branding.remove_logo": Line(OWNER, lambda s, by: branding.remove_logo(s.northwind, by=by)),
    "tenants.branding.reset_branding": Line(OWNER, lambda s, by: branding.reset_branding(s.northwind, by=by)),
    "tenants.figures.days_of_mailbox": Line(
        LOOK, lambda s, by: tenants.figures.days_of_mailbox(s.acme, s.boxes["kept"], by=by)
    ),
    "tenants.figures.mail_of_mailboxes": Line(
        LOOK, lambda s, by: tenants.figures.mail_of_mailboxes(s.acme, [s.boxes["kept"]], by=by)
    ),
    "tenants.figures.usage_of": Line(
        LOOK,
        lambda s, by: tenants.figures.usage_of(s.acme, date(2026, 1, 1), date(2026, 1, 31), by=by),
    ),
    "tenants.identity.of": Line(OWNER, lambda s, by: identity.of(s.northwind, by=by)),
    "tenants.identity.offered_to": Line(PEOPLE, lambda s, by: identity.offered_to(s.acme, by=by)),
    "tenants.identity.proofs_of": Line(OWNER, lambda s, by: identity.proofs_of(s.identity_provider, by=by)),
    "tenants.identity.set_up": Line(
        OWNER,
        lambda s, by: identity.set_up(s.northwind, _configuration(), client_secret="x", by=by),
        ends=identity_errors.AlreadySetUp,
    ),
    "tenants.identity.change": Line(
        OWNER,
        lambda s, by: identity.change(s.identity_provider, _configuration(), client_secret="y", by=by),
    ),
    "tenants.identity.check": Line(
        OWNER,
        lambda s, by: identity.check(
            s.northwind, identity.Configuration(IdentityProvider.Kind.ENTRA_ID, "", "no id", "x", ()), by=by
        ),
        ends=identity_errors.InvalidTenant,
    ),
    "tenants.identity.configuration_of": Line(
        OWNER, lambda s, by: identity.configuration_of(s.identity_provider, by=by)
    ),
    "tenants.identity.connected": Line(OWNER, lambda s, by: identity.connected(s.identity_provider, by=by)),
    "tenants.identity.consents_lost": Line(
        OWNER, lambda s, by: identity.consents_lost(s.identity_provider, _configuration(), by=by)
    ),
    "tenants.identity.switch": Line(
        OWNER, lambda s, by: identity.switch(s.identity_provider, active=False, by=by)
    ),
    "tenants.identity.switch on": Line(
        OWNER, lambda s, by: identity.switch(s.identity_provider, active=True, by=by)
    ),
    "tenants.identity.end_dispute": Line(
        ANY_STAFF, lambda s, by: identity.end_dispute(s.identity_provider, by=by)
    ),
    "tenants.identity.prove": Line(
        OWNER,
        lambda s, by: identity.prove(s.identity_provider, "unnamed.example", by=by),
        ends=identity_errors.InvalidDomain,
    ),
    "tenants.identity.forget": Line(
        OWNER,
        lambda s, by: identity.forget(s.identity_provider, email="viewer@acme.example", by=by),
        ends=identity_errors.NotConnected,
    ),
}

# Functions of the front doors that ask nobody, each with the reason why.
OPEN: dict[str, str] = {
    "accounts.services.ask_for_reset": "for who has forgotten: the same is done for every address",
    "accounts.services.clear_expired_sessions": "removes what has ended by itself; rung by beat",
    "accounts.services.mail_reset_link": "the worker's half of that; what it sends goes to the account's own address",
    "accounts.services.new_password": "makes a random text",
    "accounts.services.reset_forgotten_password": "nobody has signed in yet: it asks for the link's key instead",
    "mailboxes.services.damage.is_restored": "compares a file with its row",
    "mailboxes.services.damage.mark": "a reader's or the janitor's finding, written down; nobody asks for it",
    "mailboxes.services.damage.refuse_an_empty_store": "a rule, asked by the janitor",
    "mailboxes.services.damage.take_back": "the janitor's finding that a file is back",
    "mailboxes.services.damage.take_back_restored": "the same at a sign-in of the mailbox itself, which has its password",
    "mailboxes.services.damage.try_again": "a part of unlock, which has asked, in its transaction",
    "mailboxes.services.janitor.mailbox_folders": "tells workers what to tidy; rung by beat",
    "mailboxes.services.janitor.tell_of_nobodys_folders": "writes a line into the log; rung by beat",
    "mailboxes.services.janitor.tidy": "removes what no row names, and marks what is missing; rung by beat",
    "mailboxes.services.janitor.tidy_mailbox": "the same for one mailbox",
    "mailboxes.services.acts_on": "what a status allows of the rights that the caller brings",
    "mailboxes.services.condition": "words for a mailbox and counters that mailbox_for and activity have given",
    "mailboxes.services.progress": "words what a job says that was found by job_for",
    "mailboxes.services.allows": "what a status allows, of a mailbox that mailbox_for has given",
    "mailboxes.services.is_over": "what a status allows, of a mailbox that mailbox_for has given",
    "mailboxes.services.refusal": "what a status allows, of a mailbox that mailbox_for has given",
    "mailboxes.services.right_to_retry": "names the right that retry asks for",
    "mailboxes.services.servers": "names and ports of the gateway, which the whole world may know",
    "mailboxes.services.unsettled": "of jobs that jobs_of has given",
    "mailboxes.services.take_reach_test": "the worker's half of start_reach_test, which has asked",
    "mailboxes.services.finish_reach_test": "the same",
    "mailboxes.services.verify_certificate": "judges a text that the caller brings",
    "tenants.activity.details": "words for an act that its reader was given",
    "tenants.activity.nobody": "words for an act that its reader was given",
    "tenants.activity.read": "of a trail that activity_at or activity_for has given",
    "tenants.activity.read_all": "of a trail that activity_at or activity_for has given",
    "tenants.activity.search": "of a trail that activity_at or activity_for has given",
    "tenants.activity.sentence": "words for an act that its reader was given",
    "tenants.branding.brand_by_key": "the same of who was shown its key",
    "tenants.branding.brand_of": "what whoever opens a sign-in page is shown of the provider",
    "tenants.branding.brand_of_person": "the same, for a mail to this person and the pages around their work",
    "tenants.branding.logo_of": "the picture that belongs to that",
    "tenants.figures.days_of_provider": "tells of nobody but whom the one who asks may enter",
    "tenants.figures.of_customers": "tells of nobody but whom the one who asks may enter",
    "tenants.identity.domains_from": "reads a text that the caller brings",
    "tenants.measuring.require_for_measuring": "says of the installation whether its settings allow it",
    "tenants.services.accept_invitation_as_newcomer": "nobody has signed in yet: it asks for the link's key instead",
    "tenants.services.check_open": "says of an invitation at hand whether it can be accepted",
    "tenants.services.check_own_access": "a rule, about a person at hand",
    "tenants.services.check_owner_stays": "a rule, about memberships at hand",
    "tenants.services.check_place_name": "judges a text that the caller brings",
    "tenants.services.check_role": "a rule: which roles there are at a place",
    "tenants.services.find_invitation": "nobody has signed in yet: it asks for the link's key instead",
    "tenants.services.givable_roles": "tells of nobody but who asks",
    "tenants.services.founding_providers": "tells of nobody but who asks",
    "tenants.services.groups_of": "tells of nobody but whom the one who asks may enter",
    "tenants.services.may_found_customer": "tells of nobody but who asks",
    "tenants.services.to_be_first_admin": "of a customer at hand, for who may_found_customer it",
    "tenants.services.find_customers": "tells of nobody but whom the one who asks may enter",
    "tenants.services.hash_of": "arithmetic",
    "tenants.services.invitee": "nobody has signed in yet: it asks for the link's key instead",
    "tenants.services.inviters_of": "names who stands for invitations at hand",
    "tenants.services.judged": "judges facts that the caller brings",
    "tenants.services.limit_of": "of a membership or invitation at hand",
    "tenants.services.list_customers": "tells of nobody but whom the one who asks may enter",
    "tenants.services.may_change_address": "tells of nobody but who asks",
    "tenants.services.second_factor_required_by": "asked of everybody by a gate, of nobody but who asks",
    "tenants.services.may_consent": "tells of nobody but who asks",
    "tenants.services.may_found": "tells of nobody but who asks",
    "tenants.services.may_manage": "tells of nobody but who asks",
    "tenants.services.named_limit_of": "of a membership or invitation at hand",
    "tenants.services.place_of": "of a membership or invitation at hand",
    "tenants.services.refusal_of_leaving": "a rule, about a membership at hand",
    "tenants.services.stopped_jobs": "tells of nobody but whom the one who asks may enter",
    "tenants.services.to_be_first_owner": "of a provider at hand, for who may_found it",
}


def verbs() -> dict[str, Any]:
    """Every function of the front doors, by its full name."""
    return {
        f"{module.__name__}.{name}": thing
        for module in (*FRONT_DOORS, *SIDE_DOORS)
        for name, thing in _functions(module)
    }


def doors_of_faces() -> set[str]:
    """What the contract lets every face import, as it is written there."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = (found for found in tool["contracts"] if found["name"] == "Faces ask services")
    ways = (way.split(" -> ") for way in contract["ignore_imports"])
    named = {door for face, door in ways if face == "portal.**"}
    rooms = {name.partition(".")[0] for name in contract["forbidden_modules"]}
    services = {f"{room}.services" for room in rooms if find_spec(f"{room}.services")}
    return named - {"*.services"} | (services if "*.services" in named else set())


def _functions(module: ModuleType) -> Iterator[tuple[str, Any]]:
    for name, thing in inspect.getmembers(module, inspect.isfunction):
        if hasattr(module, "__all__"):
            if name in module.__all__:
                yield name, thing
        elif thing.__module__ == module.__name__ and name[0] != "_":
            yield name, thing


def takes_an_actor(function: Any) -> bool:
    """Whether the caller must say who acts: by keyword, without a default; first of all at the two doors of objects."""
    by = inspect.signature(function).parameters.get("by")
    return by is not None and by.default is inspect.Parameter.empty


# --- The stage ---
def build() -> Stage:
    """Set it up, in the transaction of a test."""
    people = _people()
    acme, northwind = cast.customer("acme"), cast.provider("northwind")
    kept, suspended, locked, clearing, gone = (
        services.create_mailbox(acme, by=SYSTEM, name=name)
        for name in ("Kept", "Suspended", "Locked", "Clearing", "Gone")
    )
    services.suspend_mailbox(acme, suspended[0], by=SYSTEM)
    for mailbox, _password in (locked, clearing):
        delivery.deliver([delivery.resolve(mailbox.address, peer="192.0.2.7")], [b"Subject: x\r\n\r\n"])
        services.reset_password(acme, mailbox, by=SYSTEM, locked_mail="keep")
    failed = services.delete_locked_mail(acme, clearing[0], by=SYSTEM)
    services.suspend_mailbox(acme, gone[0], by=SYSTEM)
    deletion, gones_id = services.start_deletion(acme, gone[0], by=SYSTEM), gone[0].pk
    while work_slice(acme, deletion.pk):
        pass
    _give_up(acme, failed)
    identity.set_up(northwind, _configuration(), client_secret="x", by=SYSTEM)
    tenants.services.create_provider("ownerless", "Ownerless", by=SYSTEM)
    tenants.services.create_customer("newborn", "Newborn", provider=northwind, by=SYSTEM)
    return Stage(
        people,
        {
            "kept": kept[0].pk,
            "suspended": suspended[0].pk,
            "locked": locked[0].pk,
            "gone": gones_id,
        },
        {"failed": failed.pk},
        {
            "acme": _invited("new-at@acme.example", "viewer", customer=acme),
            "northwind": _invited("new-at@northwind.example", "operator", provider=northwind),
            "stranger": _invited("stranger@nowhere.example", "viewer", customer=acme),
        },
        locked[1].reveal(),
        _offered(creation.SALT, acme, services.offer(acme, by=SYSTEM, name="New").token),
        _offered(
            passwords.SALT,
            acme,
            services.offer_reset(acme, kept[0], by=SYSTEM, locked_mail="keep").token,
        ),
    )


def _people() -> dict[str, Any]:
    here = cast.present()
    people: dict[str, Any] = {name: getattr(here, name) for name in cast.PEOPLE}
    for name, role, slugs in (
        ("operator", "operator", ()),
        ("limited", "operator", ("acme",)),
        ("elsewhere", "operator", ("globex",)),
        ("inactive", "owner", ()),
    ):
        people[name] = _person(name)
        membership = tenants.services.add_membership(
            people[name], provider=cast.provider("northwind"), role=role, by=SYSTEM
        )
        if slugs:
            limit_to(membership, [cast.customer(slug) for slug in slugs])
    people["clerk"] = _person("clerk", is_staff=True)
    tenants.services.switch_off(people["inactive"], by=SYSTEM)
    people["inactive"].refresh_from_db()
    return people | {"anonymous": AnonymousUser(), "nobody": None, "system": SYSTEM}


def _person(name: str, **fields: Any) -> User:
    user, _none = create_person(f"{name}.by.role@northwind.example", password=cast.PASSWORD, by=SYSTEM)
    User.objects.filter(pk=user.pk).update(**fields or {"name": name})
    user.refresh_from_db()
    return user


def _invited(email: str, role: str, **place: Model) -> int:
    invitation = Invitation.objects.create(
        email=email,
        role=role,
        token_hash=hash_of(email),
        invited_by_email=cast.present().owner.email,
        expires_at=timezone.now() + timedelta(days=6),
        **place,
    )
    return int(invitation.pk)


def _give_up(customer: Customer, job: Job | None) -> None:
    assert job is not None
    with tenant_context(customer):
        jobs.close(job, Job.State.FAILED, "store-failed")


def _offered(salt: str, customer: Customer, token: str) -> dict[str, Any]:
    offered = offers.read(salt, token, customer, SYSTEM)
    return {name: value for name, value in offered.items() if name not in ("customer", "by")}


def _move_between_folders(by: Any) -> None:
    """As when an installation moves that has no mail yet."""
    with TemporaryDirectory() as source, TemporaryDirectory() as target:
        old, new = (Path(folder).as_uri() for folder in (source, target))
        with override_settings(STORE_ROOT=Path(target), STORE_URL=new, STORE_OTHER_URL=old):
            moving.move_store(old, new, by=by)


def _changes_factors(person: User, *, by: Any) -> None:
    with accounts.services.changing_factors(person, by=by, ip="", user_agent=""):
        pass


def _reads_codes(person: User, *, by: Any) -> None:
    with accounts.services.reading_codes(person, by=by):
        pass


def _configuration() -> identity.Configuration:
    return identity.Configuration(
        "oidc", "https://id.northwind.example", "", "gatehouse", ("northwind.example",)
    )


def _signer(by: Any) -> Any:
    """Who can't be told to is no person: the offer is nobody's."""
    return by if by is not None else SYSTEM
