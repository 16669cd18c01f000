"""What can go wrong among providers, customers and people. Services raise; each face words it once.

TenantError
    InvalidSlug, SlugTaken, InvalidName, NoSuchProvider, NoSuchCustomer, BeingUpgraded, SchemaIsThere, SchemaInTheWay
    InvalidGroup, InvalidTags, InvalidReason
    InvalidRole, InvalidLimit, AlreadyMember, NoSuchMember, NoSuchPerson, PersonIsSwitchedOff, PersonIsOfTheDemo
    NotAllowed, NotInATeam, MoreThanOwn, LastOwner, OwnAccess, OwnSecondFactorMissing
    InvitationError
        AlreadyInvited, TooManyInvitations, NoSuchInvitation, SentJustNow, MailNotSent
        InvitationUsed, InvitationWithdrawn, InvitationExpired, SignInFirst, ForSomebodyElse
    UnknownKind
    InvalidColour, InvalidPhone, InvalidLogo, LogoTooLarge
    AddressTaken
    AppendOnly, TooMuchToTell
InvalidNetworks, InvalidQuota, InvalidWebsite, in the words of validators
"""

from django.forms import IntegerField
from django.utils.translation import gettext_lazy as _

from accounts.errors import NO_CHOICE, InvalidValue, Refusal


class TenantError(Refusal):
    """Base of all in this room."""

    code = "tenant-error"


# --- Providers and customers ---
class InvalidSlug(TenantError):
    code = "invalid-slug"
    status = 422
    field = "slug"
    template = _(
        "“%(slug)s” can't be used. Use 2 to %(most)s lower-case letters and digits, with dashes only inside, "
        "and none of the reserved names such as www, mail or admin."
    )


class SlugTaken(TenantError):
    code = "slug-taken"
    field = "slug"
    template = _("“%(slug)s” is taken. Choose another short name.")


class BeingUpgraded(TenantError):
    """A customer made by this process would lack what the database's release has, and nobody would look for it any more."""

    code = "being-upgraded"
    status = 503
    template = _(
        "A newer release is being installed, and the customer would still be of the one before. Try again in a few minutes."
    )


class SchemaIsThere(TenantError):
    code = "schema-is-there"
    template = _(
        "The customer “%(slug)s” has its schema, and with it the keys to its mail. Only a customer whose schema is gone can "
        "be given up."
    )


class SchemaInTheWay(TenantError):
    code = "schema-in-the-way"
    template = _(
        "In the place of the schema of the customer “%(slug)s” is one that is none of a customer's, and that is not dropped: "
        "%(why)s. Have its owner or a superuser rename it (ALTER SCHEMA %(schema)s RENAME TO …), then try again."
    )


class InvalidName(TenantError):
    code = "invalid-place-name"
    status = 422
    field = "name"
    template = _(
        "Type a name of 1 to %(most)s characters, at least one of which people can see, without line breaks or other control "
        "characters, and without signs that turn the direction of writing and are not closed."
    )


class NoSuchProvider(TenantError):
    code = "no-such-provider"
    status = 404
    field = "slug"
    template = _("There is no provider “%(slug)s”.")


class NoSuchCustomer(TenantError):
    code = "no-such-customer"
    status = 404
    field = "slug"
    template = _("There is no customer “%(slug)s”.")


class InvalidNetworks(InvalidValue):
    code = "invalid-networks"
    field = "allowed_networks"


class InvalidQuota(InvalidValue):
    code = "invalid-quota"
    field = "mailbox_quota_octets"
    whole = IntegerField.default_error_messages["invalid"]  # as Django's forms say it


class InvalidGroup(TenantError):
    code = "invalid-group"
    status = 422
    field = "group"
    template = _("A group has up to %(most)s characters, without line breaks or other control characters.")


class InvalidTags(TenantError):
    code = "invalid-tags"
    status = 422
    field = "tags"
    template = _(
        "Type up to %(most)s tags of up to %(letters)s characters each, without line breaks or other control characters."
    )


class InvalidReason(TenantError):
    """Of a customer's suspension."""

    code = "invalid-suspension-reason"
    status = 422
    field = "reason"
    template = _(
        "The reason may have up to %(most)s characters, without line breaks or other control characters."
    )


# --- People ---
class InvalidRole(TenantError):
    """Says the roles' names, as forms do. For commands their codes stand in `details`."""

    code = "invalid-role"
    status = 422
    field = "role"
    template = _("“%(role)s” is no role here. Choose one of: %(choices)s.")


class AlreadyMember(TenantError):
    code = "already-member"
    field = "email"
    template = _("%(email)s already has a role there. Change that one instead.")


class NotAllowed(TenantError):
    code = "not-allowed"
    status = 403
    template = _(
        "Your role does not allow this. Ask an administrator of the customer or an owner of the provider."
    )


class NotInATeam(NotAllowed):
    """Who belongs to no provider need not know of what is there for those who do."""

    code = "not-in-a-team"
    status = 404


class InvalidLimit(TenantError):
    code = "invalid-limit"
    status = 422
    field = "customers"
    template = _(
        "Choose at least one customer of this provider, or all. Only operators and auditors can be limited."
    )


class NoSuchMember(TenantError):
    code = "no-such-member"
    status = 404
    template = _("This person has no role here any more.")


class NoSuchPerson(TenantError):
    code = "no-such-person"
    status = 404
    field = "email"
    template = _("There is no person with the address %(email)s.")


class PersonIsSwitchedOff(TenantError):
    code = "person-switched-off"
    field = "email"
    template = _("The account of %(email)s is switched off. Switch it on in the administration first.")


class PersonIsOfTheDemo(TenantError):
    """Outside the demo, where its people are as if they were switched off: a link would lead nowhere."""

    code = "person-of-the-demo"
    field = "email"
    template = _("%(email)s is one of the demo's people, who can't sign in here. Choose somebody else.")


class MoreThanOwn(TenantError):
    """Also when somebody would raise themselves."""

    code = "more-than-own"
    status = 403
    field = "role"
    template = _("You can't give or take a role that allows more than your own.")


class LastOwner(TenantError):
    code = "last-owner"
    field = "role"
    template = _(
        "This is the last owner. The role can't be taken away or changed, nor the account switched off. Make somebody else an owner first."
    )


class OwnAccess(TenantError):
    code = "own-access"
    field = "is_active"
    template = _("You can't take away your own access. Somebody else of the platform's staff has to do it.")


class OwnSecondFactorMissing(TenantError):
    code = "own-second-factor-missing"
    field = "require_second_factor"
    template = _(
        "You have no second factor yourself, so you would lock yourself out. "
        "Set one up under “Security” first, then require it of everybody."
    )


# --- Invitations ---
class InvitationError(TenantError):
    """Base of what can go wrong between inviting and accepting."""

    code = "invitation-error"


class AlreadyInvited(InvitationError):
    code = "already-invited"
    field = "email"
    template = _("%(email)s has been invited already. Send that invitation again, or withdraw it.")


class TooManyInvitations(InvitationError):
    """The portal is no way to send mail to the whole world."""

    code = "too-many-invitations"
    status = 429
    template = _("Many invitations have been sent from here within an hour. Send the next ones later.")


class NoSuchInvitation(InvitationError):
    code = "no-such-invitation"
    status = 404
    template = _("This invitation is not open any more.")


class SentJustNow(InvitationError):
    """Each mail's link ends the one before: two in a row would leave a dead one on top of somebody's inbox."""

    code = "sent-just-now"
    status = 429
    template = _("The invitation was sent just now. Wait a moment before you send it again.")


class MailNotSent(InvitationError):
    """The invitation is there all the same."""

    code = "mail-not-sent"
    status = 503
    template = _("The invitation is saved, but its email could not be sent. Send it again in a few minutes.")


class InvitationUsed(InvitationError):
    code = "invitation-used"
    status = 410
    template = _("This invitation has been used already.")


class InvitationWithdrawn(InvitationError):
    code = "invitation-withdrawn"
    status = 410
    template = _("This invitation has been withdrawn.")


class InvitationExpired(InvitationError):
    code = "invitation-expired"
    status = 410
    template = _("This invitation has expired.")


class SignInFirst(InvitationError):
    code = "sign-in-first"
    template = _("There is an account for %(email)s. Sign in with it to accept the invitation.")


class ForSomebodyElse(InvitationError):
    code = "for-somebody-else"
    status = 403
    template = _("This invitation is for another person than the one who is signed in.")


# --- Activity and identity providers ---
class UnknownKind(TenantError):
    """Of acts that are looked for."""

    code = "unknown-kind"
    status = 422
    field = "kind"
    template = NO_CHOICE


# --- Branding ---
class InvalidColour(TenantError):
    code = "invalid-colour"
    status = 422
    field = "colour"
    template = _("Type a colour as a # and six digits from 0 to 9 and a to f, such as #0d6b5f.")


class InvalidPhone(TenantError):
    code = "invalid-phone"
    status = 422
    field = "support_phone"
    template = _(
        "Type a telephone number of at most %(most)s digits, blanks and signs, such as +49 30 123456."
    )


class InvalidWebsite(InvalidValue):
    code = "invalid-website"
    field = "support_url"


class InvalidLogo(TenantError):
    code = "invalid-logo"
    status = 422
    field = "logo"
    template = _(
        "This file can't be used as a logo. Choose a picture in the format PNG or JPEG that does not move."
    )


class LogoTooLarge(TenantError):
    code = "logo-too-large"
    status = 422
    field = "logo"
    template = _(
        "This picture is too large. Choose one of at most %(kilobytes)s KB, and of at most %(pixels)s pixels in width and height."
    )


# --- Directory ---
class AddressTaken(TenantError):
    """The address, or the mailbox under another customer, is in the directory; a retired address stays there for ever."""

    code = "address-taken"
    template = _("The address “%(address)s” has been used before. Choose another.")


# --- Audit trail ---
class AppendOnly(TenantError):
    """Somebody tried to change or delete what has been recorded: a mistake in our code."""

    code = "append-only"
    status = 500
    template = _("The audit trail can't be changed.")


class TooMuchToTell(TenantError):
    """An act whose line in the trail the database would refuse (tenants/details.py)."""

    code = "too-much-to-tell"
    status = 422
    template = _(
        "This is more than the audit trail can hold of one act. Do it in several steps, or with less."
    )
