"""Team: a provider's own people, whom it invites, and what it demands of everybody's sign-in. On the base host."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.second_factor import has_second_factor
from portal.console.frame import refusals
from portal.console.people import members
from portal.console.people.desk import Desk, Pages
from tenants import services
from tenants.access import Right, providers_of, require, rights_of
from tenants.models import Provider


@require_safe
def team(request: HttpRequest) -> HttpResponse:
    """The people of one provider; ?provider= says which, if somebody works for several."""
    desk = desk_of(request, Right.VIEW_TEAM)
    more = {
        "provider": desk.provider,
        "providers": _mine(request),
        "may_set_security": Right.SET_SECURITY in rights_of(request.user, desk.provider),
        "security_url": desk.pages.url("security"),
        "own_second_factor": has_second_factor(desk.user),
    }
    return members.index(request, desk, "people/team.html", more)


@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: HttpRequest) -> HttpResponse:
    return members.invite(request, desk_of(request, Right.MANAGE_TEAM))


@require_http_methods(["GET", "HEAD", "POST"])
def member(request: HttpRequest, pk: int) -> HttpResponse:
    return members.member(request, desk_of(request, Right.MANAGE_TEAM), pk)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    return members.remove(request, desk_of(request, Right.MANAGE_TEAM), pk)


@require_http_methods(["GET", "HEAD", "POST"])
def send_again(request: HttpRequest, pk: int) -> HttpResponse:
    return members.send_again(request, desk_of(request, Right.MANAGE_TEAM), pk)


@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    return members.withdraw(request, desk_of(request, Right.MANAGE_TEAM), pk)


@require_http_methods(["GET", "HEAD", "POST"])
def security(request: HttpRequest) -> HttpResponse:
    """Demand a second factor of everybody, or no longer: what weakens sign-in for all of them is asked about first."""
    desk = desk_of(request, Right.SET_SECURITY)
    wanted = request.POST.get("require_second_factor")
    if wanted not in ("on", "off"):
        return _ask_to_weaken(request, desk)
    required = wanted == "on"
    with refusals.told(request):
        services.set_security_policy(desk.provider, require_second_factor=required, by=desk.user)
        messages.success(
            request,
            _("From now on everybody needs a second factor.")
            if required
            else _("A second factor is no longer required."),
        )
    return redirect(desk.pages.home)


def _ask_to_weaken(request: HttpRequest, desk: Desk) -> HttpResponse:
    if not desk.provider.require_second_factor:
        return redirect(desk.pages.home)  # where the button is
    people = services.people_under_policy(desk.provider, by=desk.user)
    context = {
        "desk": desk,
        "provider": desk.provider,
        "people": people,
        "own_url": desk.pages.url("security"),
    }
    return render(request, "people/security_weaken.html", context)


def desk_of(request: HttpRequest, right: Right) -> Desk:
    """At the provider that ?provider= names, or at the first where the person works.

    404 for who has no role at that provider, or for one that does not exist; 403 without the right.
    """
    mine = _mine(request)
    asked = request.GET.get("provider")
    found = next((provider for provider in mine if asked in (None, provider.slug)), None)
    if found is None:
        raise Http404
    require(request.user, found, right)
    return Desk(found, request.user, Pages("team", found.slug if len(mine) > 1 else ""))


def _mine(request: HttpRequest) -> list[Provider]:
    return list(providers_of(request.user))
