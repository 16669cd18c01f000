"""A provider may require a second factor of its people and of its customers' people. Until then, nothing else opens."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from accounts.openid.sign_in import brought_second_factor
from accounts.second_factor import has_second_factor
from portal.gates.requests import GatedRequest
from tenants import services

# What it takes to set one up, to read the page in one's own language, or to leave. Everything else is shut, pages that
# are open to anybody too.
OPEN_PAGES = frozenset(
    {
        "security",
        "mfa_activate_totp",
        "mfa_add_webauthn",
        "account_reauthenticate",
        "organization_sign_in",  # which confirms for who has no password
        "openid_connect_callback",
        "settings",
        "account_logout",
    }
)


class SecondFactorGate:
    """Leads who lacks a required second factor to the page that says so and lets them add one.

    Comes after CustomerGate, so that a customer's host says nothing of this to strangers. Whether the factor was used
    at sign-in needs no question here: who has one can't sign in without it, and the first one ends all other sessions
    (`rely_on_factor` of accounts). Whoever was asked for one by their identity provider has shown it there.
    Sets request.second_factor_required_by for that page: the provider, or None when nothing is missing.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: GatedRequest, *_view: Any) -> HttpResponse | None:
        request.second_factor_required_by = None
        if not request.user.is_authenticated:
            return None
        provider = services.second_factor_required_by(request.user)
        if (
            provider is None
            or has_second_factor(request.user)
            or brought_second_factor(request, request.user)
        ):
            return None
        request.second_factor_required_by = provider
        if request.resolver_match and request.resolver_match.view_name in OPEN_PAGES:
            return None
        return redirect("security")
