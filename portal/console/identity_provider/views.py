"""The page on which a provider's owner sets up where its people sign in. On the base host."""

from urllib.parse import urlsplit

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.errors import Refusal
from accounts.openid.protocol import SCOPES
from portal.console.frame import refusals
from portal.console.identity_provider.forms import ForgetForm, IdentityProviderForm
from portal.console.people.desk import Desk, Pages
from portal.console.people.team import desk_of
from portal.gates.links import base_url
from tenants import identity
from tenants.access import Right
from tenants.identity.errors import ConsentsLost
from tenants.models import IdentityProvider


@require_http_methods(["GET", "HEAD", "POST"])
def identity_provider(request: HttpRequest) -> HttpResponse:
    """Set up or change. The button “check” asks the service and saves nothing."""
    desk = desk_of(request, Right.SET_SECURITY)
    saved = identity.of(desk.provider, by=desk.user)
    form = IdentityProviderForm(
        request.POST or None, saved=identity.configuration_of(saved, by=desk.user) if saved else None
    )
    checked = ""
    if form.is_valid():
        try:
            if "check" in request.POST:
                checked = (
                    urlsplit(identity.check(desk.provider, form.configuration(), by=desk.user)).hostname or ""
                )
            else:
                return _save(request, desk, saved, form)
        except ConsentsLost as refusal:
            form.ask(refusal)
        except Refusal as refusal:
            refusals.show(form, refusal)
    if form.is_bound:
        form.ask_for_the_secret_again()
    return _page(request, desk, saved, form, ForgetForm(), checked=checked)


@require_http_methods(["GET", "HEAD", "POST"])
def switch(request: HttpRequest) -> HttpResponse:
    """On or off, by the button's value."""
    desk = desk_of(request, Right.SET_SECURITY)
    if request.method != "POST":
        return redirect(_pages(desk).home)  # where the button is
    saved = _saved(desk)
    active = request.POST.get("active") == "on"
    with refusals.told(request):
        identity.switch(saved, active=active, by=desk.user)
        messages.success(
            request,
            _("From now on people may sign in with their organization.")
            if active
            else _("From now on nobody signs in with the organization. Whoever had done so is signed out."),
        )
    return redirect(_pages(desk).home)


@require_http_methods(["GET", "HEAD", "POST"])
def forget(request: HttpRequest) -> HttpResponse:
    """A person's account at the identity provider has changed: the next sign-in makes the new one known."""
    desk = desk_of(request, Right.SET_SECURITY)
    if request.method != "POST":
        return redirect(_pages(desk).home)  # where the button is
    saved = _saved(desk)
    form = ForgetForm(request.POST)
    if form.is_valid():
        try:
            identity.forget(saved, email=form.cleaned_data["email"], by=desk.user)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            messages.success(request, _("The next sign-in with this address may come with another account."))
            return redirect(_pages(desk).home)
    blank = IdentityProviderForm(None, saved=identity.configuration_of(saved, by=desk.user))
    return _page(request, desk, saved, blank, form)


@require_http_methods(["GET", "HEAD", "POST"])
def prove(request: HttpRequest) -> HttpResponse:
    """Look for a domain's record now."""
    desk = desk_of(request, Right.SET_SECURITY)
    if request.method != "POST":
        return redirect(_pages(desk).home)
    saved = _saved(desk)
    domain = request.POST.get("domain", "")
    with refusals.told(request):
        identity.prove(saved, domain, by=desk.user)
        messages.success(
            request, _("%(domain)s has agreed: its people may sign in here.") % {"domain": domain}
        )
    return redirect(_pages(desk).home)


def _saved(desk: Desk) -> IdentityProvider:
    saved = identity.of(desk.provider, by=desk.user)
    if saved is None:
        raise Http404
    return saved


def _save(
    request: HttpRequest, desk: Desk, saved: IdentityProvider | None, form: IdentityProviderForm
) -> HttpResponse:
    secret, wanted = form.cleaned_data["client_secret"], form.configuration()
    if saved and not form.is_for_a_new_one:
        # For the page, whatever is refused; what is accepted is judged by the verb.
        form.at_stake = identity.consents_lost(saved, wanted, shown=form.shown, by=desk.user)
        identity.change(
            saved,
            wanted,
            shown=form.shown,
            client_secret=secret,
            loss_accepted=form.cleaned_data["loss_accepted"],
            by=desk.user,
        )
    else:
        identity.set_up(desk.provider, wanted, client_secret=secret, by=desk.user)
    messages.success(request, _("The identity provider is saved."))
    return redirect(_pages(desk).home)


def _page(
    request: HttpRequest,
    desk: Desk,
    saved: IdentityProvider | None,
    form: IdentityProviderForm,
    forget_form: ForgetForm,
    *,
    checked: str = "",
) -> HttpResponse:
    pages = _pages(desk)
    proofs = identity.proofs_of(saved, by=desk.user) if saved else []
    context = {
        "provider": desk.provider,
        "saved": saved,
        "form": form,
        "forget_form": forget_form,
        "checked": checked,
        "connected": identity.connected(saved, by=desk.user) if saved else 0,
        "callback_url": base_url(request, reverse("openid_connect_callback", args=[desk.provider.slug])),
        "scopes": " ".join(SCOPES),
        "here": pages.home,
        "switch_url": pages.url("switch"),
        "forget_url": pages.url("forget"),
        "prove_url": pages.url("prove"),
        "grace": identity.GRACE,
        "proofs": proofs,
        "a_domain_agrees": any(one["proof"] for one in proofs),
        "desk": desk,
    }
    return render(request, "identity_provider/identity_provider.html", context)


def _pages(desk: Desk) -> Pages:
    return Pages("identity_provider", desk.pages.provider)
