"""Invitations: a way in for one email address, once, for a week.

The link's secret exists in the email alone. We keep its hash, so neither the database nor a backup of it lets anybody
in, and sending an invitation again means a new link.
"""

import hashlib
import logging
import secrets
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Unpack

from django.db import transaction
from django.utils import timezone

from accounts.actors import SYSTEM, Actor, System
from accounts.addresses import check as check_address
from accounts.errors import InvalidAddress, PersonExists
from accounts.models import User
from accounts.services import create_person
from tenants import access, audit
from tenants.activity.doers import Done, who_did
from tenants.activity.reading import Who
from tenants.errors import (
    AlreadyInvited,
    AlreadyMember,
    ForSomebodyElse,
    InvitationExpired,
    InvitationUsed,
    InvitationWithdrawn,
    MailNotSent,
    MoreThanOwn,
    NoSuchInvitation,
    NotAllowed,
    SentJustNow,
    SignInFirst,
    TooManyInvitations,
)
from tenants.mails import invitation as mail
from tenants.models import AuditEvent, Customer, Invitation, Membership, Provider
from tenants.services.authority import (
    Place,
    check_authority,
    check_limit,
    check_role,
    limit_of,
    limit_to,
    lock,
    managing,
    may_found,
    may_found_customer,
    named_limit_of,
    place_of,
    placed,
    to_be_first_admin,
    to_be_first_owner,
)
from tenants.services.customers import add_provider, make_customer
from tenants.services.facts import Facts
from tenants.services.people import enrol, settings_of_newcomers
from tenants.services.withdrawal import record, withdraw

log = logging.getLogger(__name__)

LIFETIME = timedelta(days=7)
SECRET_OCTETS = 32
PAUSE = timedelta(minutes=1)  # between two mails of one invitation
MOST_IN_AN_HOUR = 50  # mails from one provider or customer


def invite(
    place: Place, email: str, *, role: str, customers: Collection[Customer] | None = None, by: Actor
) -> Invitation:
    """Ask somebody in by email. `customers` limits an operator or auditor of a provider; None means all.

    Raises NotAllowed, InvalidAddress, MoreThanOwn, InvalidRole, InvalidLimit, AlreadyMember, AlreadyInvited,
    TooManyInvitations, and MailNotSent: then the invitation stands and can be sent again.
    """
    access.require(by, place, managing(place))
    _refuse_the_system(by)
    email = check_address(email)
    secret = _new_secret()
    with transaction.atomic(durable=True):
        lock(place)
        check_role(role, **placed(place))
        check_authority(by, place, role, customers=customers)
        limit = check_limit(place, role, customers)
        if Membership.objects.filter(user__email=email, **placed(place)).exists():
            raise AlreadyMember(email=email)
        _clear_expired(place, email, by=by)
        _check_mails_of_the_hour(place)
        invitation = _write(place, email, secret, role=role, limit=limit, by=by)
    _send(invitation, secret, by=by)
    return invitation


def found_provider(slug: str, name: str, *, owner_email: str, by: Actor) -> Provider:
    """Platform staff make a provider and ask its first owner in, in one act.

    Raises NotAllowed, InvalidAddress, InvalidSlug, InvalidName, TooManyMarks, SlugTaken, and MailNotSent: then provider
    and invitation stand, and invite_first_owner sends it again.
    """
    access.require(by, access.PLATFORM, access.Right.ADD_PROVIDER)
    _refuse_the_system(by)
    email = _checked(owner_email, "owner_email")
    secret = _new_secret()
    with transaction.atomic(durable=True):
        access.require_held(by, access.Right.ADD_PROVIDER)
        provider = add_provider(slug, name, by=by)
        invitation = _invite_first_owner(provider, email, secret, by=by)
    _send(invitation, secret, by=by)
    return provider


def invite_first_owner(provider: Provider, email: str, *, by: Actor) -> Invitation:
    """Platform staff ask the first owner of a provider in, or another one instead: earlier links are dead.

    Raises NotAllowed, also once the provider has an owner; InvalidAddress, TooManyInvitations, MailNotSent: then the
    invitation stands, and another try sends a new link.
    """
    access.require(by, access.PLATFORM, access.Right.ADD_PROVIDER)
    _refuse_the_system(by)
    email = check_address(email)
    secret = _new_secret()
    with transaction.atomic(durable=True):
        lock(provider)
        access.require_held(by, access.Right.ADD_PROVIDER)
        for earlier in to_be_first_owner(provider).select_for_update(of=("self",)):
            withdraw(earlier, by=by)
        _check_mails_of_the_hour(provider)
        invitation = _invite_first_owner(provider, email, secret, by=by)
    _send(invitation, secret, by=by)
    return invitation


def found_customer(
    slug: str, name: str, *, admin_email: str, provider: Provider, by: Actor, **facts: Unpack[Facts]
) -> Customer:
    """A provider's people make a customer and ask its first administrator in, in one act. Call it from the public schema.

    Raises what create_customer() does, InvalidAddress, and MailNotSent: then customer and invitation stand, and
    invite_first_admin sends it again.
    """
    access.require(by, provider, access.Right.CREATE_CUSTOMER)
    _refuse_the_system(by)
    email = _checked(admin_email, "admin_email")
    secret = _new_secret()
    with transaction.atomic(durable=True):
        customer = make_customer(slug, name, provider=provider, by=by, **facts)
        invitation = _invite_first_admin(customer, email, secret, by=by)
    _send(invitation, secret, by=by)
    return customer


def invite_first_admin(customer: Customer, email: str, *, by: Actor) -> Invitation:
    """A provider's people ask the first administrator of a customer in, or another one instead: earlier links are dead.

    Raises NotAllowed, also once the customer has an administrator; InvalidAddress, AlreadyMember, TooManyInvitations,
    MailNotSent: then the invitation stands, and another try sends a new link.
    """
    access.require(by, customer.provider, access.Right.CREATE_CUSTOMER)
    _refuse_the_system(by)
    email = check_address(email)
    secret = _new_secret()
    with transaction.atomic(durable=True):
        lock(customer)
        access.hold_people(by)
        for earlier in to_be_first_admin(customer).select_for_update(of=("self",)):
            withdraw(earlier, by=by)
        _check_mails_of_the_hour(customer)
        invitation = _invite_first_admin(customer, email, secret, by=by)
    _send(invitation, secret, by=by)
    return invitation


def send_invitation_again(place: Place, pk: int, *, by: Actor) -> Invitation:
    """A new link and another week; the old link is dead. Whoever sends it stands for it from now on.

    Raises NotAllowed, NoSuchInvitation, MoreThanOwn, AlreadyMember, SentJustNow, TooManyInvitations, MailNotSent.
    """
    access.require(by, place, managing(place))
    _refuse_the_system(by)
    secret = _new_secret()
    with transaction.atomic(durable=True):
        lock(place)
        invitation = _open_one(place, pk)
        check_authority(by, place, invitation.role, customers=limit_of(invitation))
        if Membership.objects.filter(user__email=invitation.email, **placed(place)).exists():
            raise AlreadyMember(email=invitation.email)
        now = timezone.now()
        if now - (invitation.expires_at - LIFETIME) < PAUSE:
            raise SentJustNow
        _check_mails_of_the_hour(place)
        invitation.token_hash = hash_of(secret)
        invitation.expires_at = now + LIFETIME
        invitation.invited_by_email = by.email
        invitation.save(update_fields=["token_hash", "expires_at", "invited_by_email"])
        record("invitation.resent", invitation, by=by, expires_at=invitation.expires_at)
    _send(invitation, secret, by=by)
    return invitation


@transaction.atomic(durable=True)
def withdraw_invitation(place: Place, pk: int, *, by: Actor) -> Invitation:
    """The link is dead at once. Raises NotAllowed, NoSuchInvitation, MoreThanOwn."""
    access.require(by, place, managing(place))
    lock(place)
    invitation = _open_one(place, pk)
    check_authority(by, place, invitation.role, customers=limit_of(invitation))
    withdraw(invitation, by=by)
    return invitation


def find_invitation(token_hash: str) -> Invitation:
    """The invitation that a link leads to, in whatever state. Raises NoSuchInvitation."""
    found = Invitation.objects.select_related("provider", "customer").filter(token_hash=token_hash).first()
    if found is None:
        raise NoSuchInvitation
    return found


def check_open(invitation: Invitation) -> None:
    """Raises InvitationUsed, InvitationWithdrawn or InvitationExpired unless it can still be accepted."""
    if invitation.accepted_at is not None:
        raise InvitationUsed
    if invitation.withdrawn_at is not None or not _is_stood_for(invitation):
        raise InvitationWithdrawn
    if invitation.expires_at <= timezone.now():
        raise InvitationExpired


def invitee(invitation: Invitation) -> User | None:
    """Who has the invited address already."""
    return User.objects.filter(email=invitation.email).first()


@transaction.atomic(durable=True)
def accept_invitation(invitation: Invitation, *, by: Actor) -> Membership:
    """The person with that address takes the role: being invited is the right to.

    Raises ForSomebodyElse, AlreadyMember, NoSuchInvitation (a newer link exists) or what check_open does.
    """
    if not isinstance(by, User):
        raise ForSomebodyElse
    lock(place_of(invitation))
    # Before the invitation's row: who switches somebody off takes theirs, and then what they sent.
    invited = _hold_invited(by, invitation)
    invitation = _take(invitation)
    if not invited:
        raise ForSomebodyElse
    return _join(invitation, by)


@transaction.atomic(durable=True)
def accept_invitation_as_newcomer(invitation: Invitation, *, name: str, password: str) -> User:
    """Makes the person and gives the role. Having the link proves the address.

    Raises SignInFirst when that person exists, InvalidPersonName, TooManyMarks, WeakPassword, and what
    accept_invitation does.
    """
    invitation = _take(invitation)
    if invitee(invitation) is not None:
        raise SignInFirst(email=invitation.email)
    try:
        user, _none = create_person(
            invitation.email,
            by=SYSTEM,
            name=name,
            password=password,
            **settings_of_newcomers(place_of(invitation)),
        )
    except PersonExists as error:
        raise SignInFirst(email=invitation.email) from error  # by another invitation, in this moment
    audit.record(
        "person.created", by=user, **placed(place_of(invitation)), target=user, data={"staff": False}
    )
    _join(invitation, user)
    return user


def inviters_of(invitations: Iterable[Invitation]) -> dict[int, Who]:
    """Who stands for each, by the invitation's id: for who has been given these rows, or has the link."""
    acts = {
        one.pk: Done(
            ("invitation.created", "invitation.resent"),
            str(one.pk),
            one.expires_at - LIFETIME,
            one.invited_by_email,
            customer=one.customer_id,
            provider=one.provider_id,
        )
        for one in invitations
    }
    found = who_did(acts.values())
    return {pk: found[act] for pk, act in acts.items()}


def hash_of(secret: str) -> str:
    """What is kept of a link's secret. It is random and long, so a plain hash gives nothing away."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _refuse_the_system(by: Actor) -> None:
    """An invitation is good for as long as a person stands for it."""
    if isinstance(by, System):
        raise NotAllowed


def _new_secret() -> str:
    return secrets.token_urlsafe(SECRET_OCTETS)


def _invite_first_owner(provider: Provider, email: str, secret: str, *, by: Actor) -> Invitation:
    if not may_found(by, provider):
        raise NotAllowed
    return _write(provider, email, secret, role=Membership.Role.OWNER, limit=None, by=by)


def _invite_first_admin(customer: Customer, email: str, secret: str, *, by: Actor) -> Invitation:
    if not may_found_customer(by, customer):
        raise NotAllowed
    if Membership.objects.filter(user__email=email, **placed(customer)).exists():
        raise AlreadyMember(email=email)
    return _write(customer, email, secret, role=Membership.Role.ADMIN, limit=None, by=by)


def _checked(email: str, field: str) -> str:
    """As an argument of this name. Raises InvalidAddress."""
    try:
        return check_address(email)
    except InvalidAddress as refusal:
        refusal.about(field)
        raise


def _write(
    place: Place,
    email: str,
    secret: str,
    *,
    role: str,
    limit: Collection[Customer] | None,
    by: Actor,
) -> Invitation:
    invitation = Invitation.objects.create(
        email=email,
        **placed(place),
        role=role,
        token_hash=hash_of(secret),
        invited_by_email=by.email,
        expires_at=timezone.now() + LIFETIME,
    )
    limit_to(invitation, limit)
    record("invitation.created", invitation, by=by, expires_at=invitation.expires_at)
    return invitation


def _open_one(place: Place, pk: int) -> Invitation:
    """Expired ones too: they can be sent again or withdrawn."""
    waiting = Invitation.objects.filter(pk=pk, accepted_at=None, withdrawn_at=None, **placed(place))
    invitation = waiting.select_for_update(of=("self",)).first()
    if invitation is None:
        raise NoSuchInvitation
    return invitation


def _clear_expired(place: Place, email: str, *, by: Actor) -> None:
    """Raises AlreadyInvited when one is still good."""
    waiting = Invitation.objects.filter(email=email, accepted_at=None, withdrawn_at=None, **placed(place))
    for invitation in waiting.select_for_update(of=("self",)):
        if invitation.expires_at > timezone.now():
            raise AlreadyInvited(email=email)
        withdraw(invitation, by=by)


def _check_mails_of_the_hour(place: Place) -> None:
    """Under the lock of the place. The trail is asked, since an invitation itself tells of its last mail only."""
    here = (
        {"provider_id": place.pk, "customer_id": None}
        if isinstance(place, Provider)
        else {"customer_id": place.pk}
    )
    now = (
        timezone.now()
    )  # a line of later, which no act has written, would count for as long as it lies ahead
    mails_sent = AuditEvent.objects.of("invitation.created", "invitation.resent").filter(
        at__range=(now - timedelta(hours=1), now), **here
    )
    if mails_sent.count() >= MOST_IN_AN_HOUR:
        raise TooManyInvitations


def _hold_invited(user: User, invitation: Invitation) -> bool:
    """Whether it is them; until the transaction ends they keep that address, or the role would go to another's."""
    same = User.objects.filter(pk=user.pk, email=invitation.email, is_active=True)
    return same.select_for_update(no_key=True).first() is not None


def _is_stood_for(invitation: Invitation) -> bool:
    """Whether who sent it could send it today. Their account may have been closed, or their role been taken in the very
    moment in which they invited: at a customer's lock nobody waits who takes it at the provider's.
    """
    inviter = User.objects.filter(email=invitation.invited_by_email).first()
    if inviter is None:
        return False
    place = place_of(invitation)
    if isinstance(place, Provider) and invitation.role == Membership.Role.OWNER and may_found(inviter, place):
        return True
    of_admin = invitation.role == Membership.Role.ADMIN
    if isinstance(place, Customer) and of_admin and may_found_customer(inviter, place):
        return True
    try:
        check_authority(inviter, place, invitation.role, customers=limit_of(invitation))
    except (NotAllowed, MoreThanOwn):
        return False
    return True


def _take(invitation: Invitation) -> Invitation:
    """The row as it is now, held until the end. Only the newest link counts."""
    lock(place_of(invitation))
    same = Invitation.objects.filter(pk=invitation.pk, token_hash=invitation.token_hash)
    current = same.select_for_update(of=("self",)).first()
    if current is None:
        raise NoSuchInvitation
    check_open(current)
    return current


def _join(invitation: Invitation, user: User) -> Membership:
    membership = enrol(
        user,
        role=invitation.role,
        **placed(place_of(invitation)),
        customers=limit_of(invitation),
        by=user,
    )
    invitation.accepted_at = timezone.now()
    invitation.save(update_fields=["accepted_at"])
    record("invitation.accepted", invitation, by=user, invited_by=invitation.invited_by_email)
    return membership


def _send(invitation: Invitation, secret: str, *, by: Actor) -> None:
    """After the commit, never before. Raises MailNotSent."""
    place, limit = place_of(invitation), named_limit_of(invitation)
    try:
        mail.send(invitation, secret, place=place, known=invitee(invitation), by=by, **limit)
    except OSError as error:  # smtplib's errors are of this kind too
        log.error("An invitation could not be sent: %s", error)
        raise MailNotSent from error
    except Exception as error:  # the invitation stands all the same, whatever its mail suffers from
        log.exception("The mail of an invitation could not be made")
        raise MailNotSent from error
