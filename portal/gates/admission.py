"""What an identity provider has opened stays open for as long as all that it stood on does."""

from collections.abc import Callable
from typing import cast

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.openid.sign_in import gate, is_still_admitted, opened_by
from tenants import audit


class StillAdmitted:
    """Marks what is done in a session that an identity provider has opened as vouched for by it, and signs out whom it may
    no longer sign in: it was switched off, or they have got a role where it has no say. So it does where this was taken back
    and given anew: they may sign in by it once more. The page that they asked for then leads them to the sign-in.

    Comes after the messages, and before the one that notes who is there. A session that was opened by a password or
    a passkey asks the database nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user = cast(User, request.user)
        vouchers = opened_by(request, user)
        if not is_still_admitted(request, user):
            may_again = all(gate().admission(user, provider) for provider in vouchers)
            vouchers = []
            get_adapter(request).logout(request)
            messages.warning(request, _once_more() if may_again else _no_longer())
        voucher = audit.voucher.set(vouchers[0] if vouchers else "")
        try:
            return self.get_response(request)
        finally:
            audit.voucher.reset(voucher)


def _once_more() -> str:
    return _(
        "You have been signed out, because something about your organization's sign-in or your roles has changed. "
        "Sign in once more."
    )


def _no_longer() -> str:
    return _(
        "You have been signed out, because your organization's sign-in no longer opens the portal to you. "
        "Sign in with your password. If you have none, the platform's staff can let you in again."
    )
