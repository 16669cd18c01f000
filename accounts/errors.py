"""What refusals have in common, in every room, and this room's own.

Refusal
    AccountError
        SomebodyElses
        PersonExists
        UnknownLanguage, UnknownTimeZone, UnknownTheme
        SamePassword, PasswordOfferExpired, PasswordOfferAltered, PasswordOfferOutdated, PasswordAlreadySaved
        ResetLinkUsed
        NoSuchSession
    InvalidValue, in the words of validators
        InvalidAddress, InvalidPersonName, WeakPassword
    TooManyMarks, of a name, whatever it is the name of
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.forms import ChoiceField
from django.utils.translation import gettext_lazy as _


class Refusal(Exception):
    """Something was asked for that can't be. `message` is translated and says what to do.

    `code` is stable. `status` is what a face of the web answers it with: by RFC 9110, section 15, and where room runs
    out 507 of RFC 4918. `field` is the argument of the verb that is refused, or "" when it is none of them.
    """

    code = "refused"
    status = 409
    field = ""
    template: Any = _("That did not work.")

    def __init__(self, **details: Any) -> None:
        self.details = details
        super().__init__(self.code)

    def about(self, field: str) -> Self:
        """The same of another argument, for verbs that share a rule and name what it is about differently."""
        self.field = field
        return self

    @property
    def message(self) -> str:
        return str(self.template % self.details)

    @property
    def messages(self) -> list[str]:
        """What a form shows, a line each."""
        return [self.message]

    def __str__(self) -> str:
        return self.message


class AccountError(Refusal):
    """What a person can't do with their own account."""


# As Django's forms say it.
NO_CHOICE = ChoiceField.default_error_messages["invalid_choice"]


class SomebodyElses(AccountError):
    code = "somebody-elses"
    status = 403
    template = _("This is somebody else's account.")


class PersonExists(AccountError):
    code = "person-exists"
    field = "email"
    template = _("There is somebody with the address %(email)s already.")


class UnknownLanguage(AccountError):
    code = "unknown-language"
    status = 422
    field = "language"
    template = NO_CHOICE


class UnknownTimeZone(AccountError):
    code = "unknown-time-zone"
    status = 422
    field = "time_zone"
    template = NO_CHOICE


class UnknownTheme(AccountError):
    code = "unknown-theme"
    status = 422
    field = "theme"
    template = NO_CHOICE


class SamePassword(AccountError):
    code = "same-password"
    status = 422
    field = "new_password"
    template = _("That is the password that you have now. Choose another one.")


class PasswordOfferExpired(AccountError):
    code = "password-offer-expired"
    status = 410
    field = "token"
    template = _("That password was shown too long ago and was not saved. Your old password is still valid.")


class PasswordOfferAltered(AccountError):
    code = "password-offer-altered"
    status = 422
    field = "token"
    template = _("This page can't be used any more, and nothing was saved. Your old password is still valid.")


class PasswordOfferOutdated(AccountError):
    code = "password-offer-outdated"
    status = 409
    field = "token"
    template = _(
        "Your password has been changed since that page was opened. The one that it showed is not valid."
    )


class PasswordAlreadySaved(AccountError):
    """The same password came twice."""

    code = "password-already-saved"
    template = _("Your new password is saved already: the one that was just shown or typed is valid.")


class ResetLinkUsed(AccountError):
    code = "reset-link-used"
    status = 410
    template = _("This link has been used already. The password that was chosen first is valid.")


class NoSuchSession(AccountError):
    code = "no-such-session"
    status = 404
    template = _("This session has ended already.")


# --- Values that validators judge, for forms as for verbs ---
class InvalidValue(Refusal):
    """Says what validators say, all of it, a message each. They word it once, for forms and for the verbs behind them."""

    code = "invalid-value"
    status = 422
    template = "%(reasons)s"

    def __init__(self, *reasons: str) -> None:
        super().__init__(reasons=" ".join(reasons))
        self._reasons = reasons

    @property
    def messages(self) -> list[str]:
        return [*self._reasons]


@contextmanager
def refusing(kind: type[InvalidValue], *, field: str = "") -> Iterator[None]:
    """What validators refuse within becomes this kind of refusal, of `field` if the verb calls it otherwise: so a verb may
    ask them, and raises nothing that only forms know.
    """
    try:
        yield
    except ValidationError as error:
        raise kind(*error.messages).about(field or kind.field) from error


class InvalidAddress(InvalidValue):
    code = "invalid-address"
    field = "email"


class InvalidPersonName(InvalidValue):
    code = "invalid-person-name"
    field = "name"


class WeakPassword(InvalidValue):
    code = "weak-password"
    field = "password"


# --- Names: of people here, of what there is in the rooms above ---
class TooManyMarks(Refusal):
    code = "too-many-marks"
    status = 422
    field = "name"
    template = _("This name has too many accents or other marks on one letter. Type it with fewer.")
