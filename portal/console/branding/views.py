"""The page on which an owner decides how the provider looks, and sees it."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.errors import Refusal
from accounts.models import User
from portal.console.branding.forms import BrandingForm, LogoForm
from portal.console.frame import refusals
from portal.gates.branding import dress_of
from tenants import branding as verbs
from tenants.access import Right, providers_of, require, rights_of
from tenants.models import Provider


@require_http_methods(["GET", "HEAD", "POST"])
def branding(request: HttpRequest) -> HttpResponse:
    """What is saved is what the page itself wears."""
    provider, user = _provider(request)
    form = _form(provider, user, request.POST or None)
    if form.is_valid():
        try:
            verbs.set_branding(provider, by=user, **form.changes)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            messages.success(request, _("The branding is saved."))
            return redirect(_url(provider, among=_mine(request)))
    return _page(request, provider, form, LogoForm())


@require_http_methods(["GET", "HEAD", "POST"])
def logo(request: HttpRequest) -> HttpResponse:
    """Takes a file (settings.UPLOADS_AT)."""
    provider, user = _provider(request)
    if request.method != "POST":
        return redirect(_url(provider, among=_mine(request)))  # where the form is
    form = LogoForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            verbs.set_logo(provider, form.cleaned_data["logo"].read(), by=user)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            messages.success(request, _("The logo is saved."))
            return redirect(_url(provider, among=_mine(request)))
    return _page(request, provider, _form(provider, user, None), form)


@require_http_methods(["GET", "HEAD", "POST"])
def remove_logo(request: HttpRequest) -> HttpResponse:
    provider, user = _provider(request)
    if request.method == "POST":
        with refusals.told(request):
            verbs.remove_logo(provider, by=user)
            messages.success(request, _("The logo is removed."))
    return redirect(_url(provider, among=_mine(request)))


@require_http_methods(["GET", "HEAD", "POST"])
def reset(request: HttpRequest) -> HttpResponse:
    provider, user = _provider(request)
    if request.method == "POST":
        with refusals.told(request):
            verbs.reset_branding(provider, by=user)
            messages.success(request, _("Pages and mails have Gatehouse's own look again."))
    return redirect(_url(provider, among=_mine(request)))


def _page(request: HttpRequest, provider: Provider, form: BrandingForm, logo_form: LogoForm) -> HttpResponse:
    dress, mine = dress_of(provider), _mine(request)
    context = {
        "provider": provider,
        "providers": mine,
        "form": form,
        "logo_form": logo_form,
        "worn": dress,
        "palette": dress.brand.palette,
        "here": _url(provider, among=mine),
        "logo_url": _url(provider, "branding_logo", among=mine),
        "remove_url": _url(provider, "branding_logo_remove", among=mine),
        "reset_url": _url(provider, "branding_reset", among=mine),
    }
    return render(request, "branding/branding.html", context)


def _form(provider: Provider, user: User, data: Any) -> BrandingForm:
    return BrandingForm(data, provider=provider, saved=verbs.branding_of(provider, by=user))


def _provider(request: HttpRequest) -> tuple[Provider, User]:
    """The one that ?provider= names, or the first where the person may: 404 for who has no role at it, 403 without the right.
    And who asks.
    """
    user = request.user
    assert isinstance(user, User)  # the middleware asks everybody to sign in
    theirs = list(providers_of(user).select_related("branding"))
    if asked := request.GET.get("provider"):
        theirs = [one for one in theirs if one.slug == asked]
    if not theirs:
        raise Http404
    found = next(iter(_may(request, theirs)), theirs[0])
    require(user, found, Right.SET_BRANDING)
    return found, user


def _mine(request: HttpRequest) -> list[Provider]:
    return _may(request, providers_of(request.user))


def _may(request: HttpRequest, providers: Iterable[Provider]) -> list[Provider]:
    """Those about which the person may decide."""
    return [one for one in providers if Right.SET_BRANDING in rights_of(request.user, one)]


def _url(provider: Provider, name: str = "branding", *, among: Sequence[Provider]) -> str:
    """Says which, if the person may decide about several."""
    return reverse(name) + (f"?{urlencode({'provider': provider.slug})}" if len(among) > 1 else "")
