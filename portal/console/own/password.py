"""One's own password: type the current one, see a new one, press OK. Or choose one."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts import services
from accounts.adapters import renewing, visitors
from accounts.errors import AccountError, Refusal
from accounts.models import User
from portal.console.frame import refusals
from portal.console.own.forms import ChosenPasswordForm, CurrentPasswordForm


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
def own_password(request: HttpRequest) -> HttpResponse:
    """Reset it in two steps: until the second the old one stays valid."""
    if elsewhere := _without_password(request):
        return elsewhere
    if request.method == "POST":
        return _accept(request) if "token" in request.POST else _offer(request)
    return render(request, "own/password.html", {"form": CurrentPasswordForm(request=request)})


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@sensitive_variables("form")
def choose_own_password(request: HttpRequest) -> HttpResponse:
    if elsewhere := _without_password(request):
        return elsewhere
    user = _person(request)
    form = ChosenPasswordForm(request.POST if request.method == "POST" else None, request=request)
    if form.is_valid():
        try:
            services.choose_password(user, form.cleaned_data["new_password"], by=user, **_here(request))
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            return _changed(request, user)
    return render(request, "own/password_choose.html", {"form": form})


@sensitive_variables("form", "offer")
def _offer(request: HttpRequest) -> HttpResponse:
    form = CurrentPasswordForm(request.POST, request=request)
    if not form.is_valid():
        return render(request, "own/password.html", {"form": form})
    offer = services.offer_password(_person(request), by=_person(request))
    return render(request, "own/password_new.html", {"offer": offer})


def _accept(request: HttpRequest) -> HttpResponse:
    user = _person(request)
    try:
        services.accept_password(user, request.POST["token"], by=user, **_here(request))
    except AccountError as error:
        form = CurrentPasswordForm(request=request)
        return render(request, "own/password.html", {"form": form, "refusal": error})
    return _changed(request, user)


def _changed(request: HttpRequest, user: User) -> HttpResponse:
    """This session goes on, under a new key."""
    renewing.renew_session(request, user)
    messages.success(
        request,
        _("Your new password is valid from now on, and only that one. All your other sessions have ended."),
    )
    response = redirect("settings")
    visitors.remember(request, response, user)  # its cookie went with the old password
    return response


def _here(request: HttpRequest) -> dict[str, Any]:
    """The session that goes on, and what the mail tells of where and with what it was done."""
    return {"keep": request.session.session_key, **visitors.seen(request)}


def _without_password(request: HttpRequest) -> HttpResponse | None:
    """Who signs in through an identity provider only has none that could be changed; the settings say so."""
    return None if _person(request).has_usable_password() else redirect("settings")


def _person(request: HttpRequest) -> User:
    user = request.user
    assert isinstance(user, User)  # the middleware asks everybody to sign in
    return user
