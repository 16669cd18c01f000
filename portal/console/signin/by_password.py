"""Signing in by password: allauth's page, with limits that strangers don't use up for others."""

from typing import Any

from allauth.account.views import LoginView
from allauth.core import ratelimit
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.views.csrf import csrf_failure

from accounts.adapters import guesses
from portal.console.signin.forms import SignInForm

SIGN_IN_AS = "sign_in_as"  # a place in the session: the address that who leads here knows already


class SignIn(LoginView):
    """Asks for address and password."""

    form_class = SignInForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        is_strange = request.method == "POST" and not guesses.own_place(
            request, request.POST.get("login", "")
        )
        if is_strange and (too_many := ratelimit.consume_or_429(request, action="sign_in")):
            return too_many
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer

    def get_initial(self) -> dict[str, Any]:
        return {**super().get_initial(), "login": self.request.session.get(SIGN_IN_AS, "")}


def outdated_form(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """What is answered to a form whose token is wrong.

    Signing in makes new tokens, so the one on a second tab with the sign-in page is outdated; but all is done there.
    """
    is_sign_in = request.path == reverse("account_login") and "csrfmiddlewaretoken" in request.POST
    return redirect("/") if is_sign_in and request.user.is_authenticated else csrf_failure(request, reason)


sign_in = login_not_required(SignIn.as_view())
