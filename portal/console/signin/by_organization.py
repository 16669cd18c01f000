"""“Sign in with your organization”: always at the base host, where identity providers send people back to."""

import logging
from urllib.parse import urlsplit

import requests
from allauth.account.utils import get_next_redirect_url
from allauth.core import ratelimit
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.adapters.confirming import is_the_organizations
from accounts.errors import Refusal
from accounts.openid import outbound
from accounts.openid import sign_in as social
from accounts.openid.errors import (
    NoOrganization,
    NotOurs,
    OpenIDRefusal,
    ProviderFault,
    Unavailable,
    reason_of,
)
from accounts.openid.protocol import OpenIDAdapter
from portal.console.frame import refusals
from portal.console.signin.forms import AddressForm
from portal.gates.links import at_base, base_url

log = logging.getLogger(__name__)


@login_not_required
@never_cache
@require_http_methods(["GET", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Asks for the address; leads from a customer's host to the base host, and to the identity provider."""
    next_url = get_next_redirect_url(request)
    if not at_base(request):
        return _to_base_host(request, next_url or "/")
    # Who is signed in goes on, but for those who can confirm by nothing else that it is them.
    if request.user.is_authenticated and not is_the_organizations(request.user):
        return HttpResponseRedirect(next_url or "/")
    form = AddressForm(request.POST or None)
    if form.is_valid():
        if too_many := ratelimit.consume_or_429(request, action="sign_in"):
            return too_many
        try:
            return _on_to(request, form.cleaned_data["login"], next_url)
        except Refusal as refusal:
            refusals.show(form, refusal)
    return render(request, "socialaccount/start.html", {"form": form, "next_url": next_url or ""})


@login_not_required
@never_cache
@require_safe
def callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Where the identity provider sends people back to. Says on a page of its own why somebody is not signed in."""
    if not at_base(request):
        raise Http404
    try:
        view = OAuth2CallbackView.adapter_view(OpenIDAdapter(request, provider_id))
        # Configuration, token, keys and person are asked for one after the other, while a thread waits.
        with outbound.Deadline(outbound.WHOLE_SECONDS):
            answer: HttpResponse = view(request)
    except SocialApp.DoesNotExist:
        return _refused(request, NotOurs())
    except OpenIDRefusal as refusal:
        return _refused(request, refusal)
    return answer


def _refused(request: HttpRequest, refusal: OpenIDRefusal) -> HttpResponse:
    return render(request, "socialaccount/refused.html", {"refusal": refusal}, status=refusal.status)


def _on_to(request: HttpRequest, email: str, next_url: str | None) -> HttpResponse:
    """A page that leads on by itself: form-action would keep the form's own answer from redirecting to a stranger.

    Raises NoOrganization, Unavailable.
    """
    provider_id = social.gate().provider_for(email)
    if provider_id is None:
        raise NoOrganization(domain=email.rpartition("@")[2])
    try:
        provider = get_adapter(request).get_provider(request, provider_id)
        url = provider.authorization_url(request, next_url=next_url, hint=email)
    except (ProviderFault, requests.RequestException) as error:
        log.warning("sign-in by %s can't begin: %s", provider_id, reason_of(error))
        raise Unavailable from error
    context = {"url": url, "host": urlsplit(url).hostname}
    answer = render(request, "socialaccount/onward.html", context)
    answer["Refresh"] = f"0; url={url}"
    return answer


def _to_base_host(request: HttpRequest, next_url: str) -> HttpResponseRedirect:
    query = urlencode({"next": request.build_absolute_uri(next_url)})
    return HttpResponseRedirect(f"{base_url(request, request.path)}?{query}")
