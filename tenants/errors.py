"""What can go wrong among providers, customers and people. Services raise; each face words it once.

TenantError
    InvalidSlug, SlugTaken, InvalidName, NoSuchProvider, NoSuchCustomer
    InvalidRole, InvalidLimit, AlreadyMember, NoSuchMember, NoSuchPerson, PersonIsSwitchedOff
    PersonExists
    NotAllowed, MoreThanOwn, LastOwner, OwnSecondFactorMissing
    InvitationError
        AlreadyInvited, TooManyInvitations, NoSuchInvitation, SentJustNow, MailNotSent
        InvitationUsed, InvitationWithdrawn, InvitationExpired, SignInFirst, ForSomebodyElse
    AddressTaken
    AppendOnly
"""

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext_lazy as _

from accounts.errors import Refusal


class TenantError(Refusal):
    """Base of all in this room."""

    code = "tenant-error"


# --- Providers and customers ---
class InvalidSlug(TenantError):
    code = "invalid-slug"
    template = _(
        "“%(slug)s” can't be used. Use 2 to 40 lower-case letters and digits, with dashes only inside, "
        "and none of the reserved names such as www, mail or admin."
    )


class SlugTaken(TenantError):
    code = "slug-taken"
    template = _("“%(slug)s” is taken. Choose another short name.")


class InvalidName(TenantError):
    code = "invalid-name"
    template = _("Type a name of 1 to 200 characters, without line breaks.")


class NoSuchProvider(TenantError):
    code = "no-such-provider"
    template = _("There is no provider “%(slug)s”.")


class NoSuchCustomer(TenantError):
    code = "no-such-customer"
    template = _("There is no customer “%(slug)s”.")


# --- People ---
class InvalidRole(TenantError):
    """Says the roles' names, as forms do. For commands their codes stand in `details`."""

    code = "invalid-role"
    template = _("“%(role)s” is no role here. Choose one of: %(choices)s.")


class AlreadyMember(TenantError):
    code = "already-member"
    template = _("%(email)s already has a role there. Change that one instead.")


class NotAllowed(TenantError, PermissionDenied):
    """What no view catches is answered with the 403 page."""

    code = "not-allowed"
    template = _(
        "Your role does not allow this. Ask an administrator of the customer or an owner of the provider."
    )


class PersonExists(TenantError):
    code = "person-exists"
    template = _("There is somebody with the address %(email)s already.")


class InvalidLimit(TenantError):
    code = "invalid-limit"
    template = _(
        "Choose at least one customer of this provider, or all. Only operators and auditors can be limited."
    )


class NoSuchMember(TenantError):
    code = "no-such-member"
    template = _("This person has no role here any more.")


class NoSuchPerson(TenantError):
    code = "no-such-person"
    template = _("There is no person with the address %(email)s.")


class PersonIsSwitchedOff(TenantError):
    code = "person-switched-off"
    template = _("The account of %(email)s is switched off. Switch it on in the administration first.")


class MoreThanOwn(TenantError):
    """Also when somebody would raise themselves."""

    code = "more-than-own"
    template = _("You can't give or take a role that allows more than your own.")


class LastOwner(TenantError):
    code = "last-owner"
    template = _("This is the last owner. Make somebody else an owner first.")


class OwnSecondFactorMissing(TenantError):
    code = "own-second-factor-missing"
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
    template = _("%(email)s has been invited already. Send that invitation again, or withdraw it.")


class TooManyInvitations(InvitationError):
    """The portal is no way to send mail to the whole world."""

    code = "too-many-invitations"
    template = _("Many invitations have been sent from here within an hour. Send the next ones later.")


class NoSuchInvitation(InvitationError):
    code = "no-such-invitation"
    template = _("This invitation is not open any more.")


class SentJustNow(InvitationError):
    """Each mail's link ends the one before: two in a row would leave a dead one on top of somebody's inbox."""

    code = "sent-just-now"
    template = _("The invitation was sent less than a minute ago. Wait a moment before you send it again.")


class MailNotSent(InvitationError):
    """The invitation is there all the same."""

    code = "mail-not-sent"
    template = _("The invitation is saved, but its e-mail could not be sent. Send it again in a few minutes.")


class InvitationUsed(InvitationError):
    code = "invitation-used"
    template = _("This invitation has been used already.")


class InvitationWithdrawn(InvitationError):
    code = "invitation-withdrawn"
    template = _("This invitation has been withdrawn.")


class InvitationExpired(InvitationError):
    code = "invitation-expired"
    template = _("This invitation has expired.")


class SignInFirst(InvitationError):
    code = "sign-in-first"
    template = _("There is an account for %(email)s. Sign in with it to accept the invitation.")


class ForSomebodyElse(InvitationError):
    code = "for-somebody-else"
    template = _("This invitation is for another person than the one who is signed in.")


# --- Directory ---
class AddressTaken(TenantError):
    """The address, or the mailbox under another customer, is in the directory; a retired address stays there for ever."""

    code = "address-taken"
    template = _("The address “%(address)s” has been used before. Choose another.")


# --- Audit trail ---
class AppendOnly(TenantError):
    """Somebody tried to change or delete what has been recorded: a mistake in our code."""

    code = "append-only"
    template = _("The audit trail can't be changed.")
