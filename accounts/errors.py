"""What refusals have in common, in every room."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.utils.translation import gettext_lazy as _


class Refusal(Exception):
    """Something was asked for that can't be. `code` is stable; `message` is translated and says what to do."""

    code = "refused"
    template: Any = _("That did not work.")

    def __init__(self, **details: Any) -> None:
        self.details = details
        super().__init__(self.code)

    @property
    def message(self) -> str:
        return str(self.template % self.details)

    def __str__(self) -> str:
        return self.message


class AccountError(Refusal):
    """What a person can't do with their own account."""


class SomebodyElses(AccountError, PermissionDenied):
    """What no view catches is answered with the 403 page."""

    code = "somebody-elses"
    template = _("This is somebody else's account.")


class SamePassword(AccountError):
    code = "same-password"
    template = _("That is the password that you have now. Choose another one.")


class PasswordOfferExpired(AccountError):
    code = "password-offer-expired"
    template = _("That password was shown too long ago and was not saved. Your old password is still valid.")


class PasswordOfferAltered(AccountError):
    code = "password-offer-altered"
    template = _("This page can't be used any more, and nothing was saved. Your old password is still valid.")


class PasswordOfferOutdated(AccountError):
    code = "password-offer-outdated"
    template = _(
        "Your password has been changed since that page was opened. The one that it showed is not valid."
    )


class PasswordAlreadySaved(AccountError):
    """The same password came twice."""

    code = "password-already-saved"
    template = _("Your new password is saved already: the one that was just shown or typed is valid.")


class ResetLinkUsed(AccountError):
    code = "reset-link-used"
    template = _("This link has been used already. The password that was chosen first is valid.")


class NoSuchSession(AccountError):
    code = "no-such-session"
    template = _("This session has ended already.")
