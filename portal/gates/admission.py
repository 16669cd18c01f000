"""What an identity provider has opened stays open for as long as it would open it again."""

from collections.abc import Callable
from typing import cast

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from django.contrib import messages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.openid.sign_in import gate
from tenants import audit


class StillAdmitted:
    """Marks what is done in a session that an identity provider has opened as vouched for by it, and signs out whom it may
    no longer sign in: it was switched off, or they have got a role where it has no say. The page that they asked for
    then leads them to the sign-in.

    Comes after the messages, and before the one that notes who is there. A session that was opened by a password or
    a passkey asks the database nothing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        opened_by = sorted(_opened_by(request))
        if not all(gate().admits(cast(User, request.user), provider) for provider in opened_by):
            opened_by = []
            get_adapter(request).logout(request)
            messages.warning(
                request,
                _(
                    "You have been signed out, because your organization's sign-in no longer opens the portal to you. "
                    "Sign in with your password. If you have none, the platform's staff can let you in again."
                ),
            )
        voucher = audit.voucher.set(opened_by[0] if opened_by else "")
        try:
            return self.get_response(request)
        finally:
            audit.voucher.reset(voucher)


def _opened_by(request: HttpRequest) -> set[str]:
    records = get_authentication_records(request, request.user)
    return {record["provider"] for record in records if record["method"] == "socialaccount"}
