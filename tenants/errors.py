"""What can go wrong among providers, customers and people. Services raise; each face words it once.

TenantError
    InvalidSlug, SlugTaken, InvalidName, NoSuchProvider, NoSuchCustomer
    InvalidRole, AlreadyMember, NotAllowed
    AddressTaken
    AppendOnly
"""

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
    code = "invalid-role"
    template = _("“%(role)s” is no role here. Choose one of: %(choices)s.")


class AlreadyMember(TenantError):
    code = "already-member"
    template = _("%(email)s already has a role there. Change that one instead.")


class NotAllowed(TenantError):
    code = "not-allowed"
    template = _("Your role does not allow this. Ask an administrator of the customer or of the provider.")


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
