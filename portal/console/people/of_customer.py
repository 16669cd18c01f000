"""People: a customer's own people. On the customer's host, where CustomerGate has let nobody in without a role."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from portal.console.frame import refusals
from portal.console.people import members
from portal.console.people.desk import Desk, Pages
from portal.gates.hosts import ConsoleRequest
from tenants import identity, services
from tenants.access import Right, require


@require_safe
def people(request: ConsoleRequest) -> HttpResponse:
    desk = _desk(request, Right.VIEW_PEOPLE)
    may_consent = services.may_consent(request.user, request.customer)
    more = {
        "provider": desk.provider,
        "identity_provider": identity.offered_to(request.customer, by=request.user) if may_consent else None,
        "may_consent": may_consent,
    }
    return members.index(request, desk, "people/people.html", more)


@require_http_methods(["GET", "HEAD", "POST"])
def identity_provider(request: ConsoleRequest) -> HttpResponse:
    """Let the provider's identity provider sign in these people, or no longer, by the button's value."""
    desk = _desk(request, Right.MANAGE_PEOPLE)
    if request.method != "POST":
        return redirect(desk.pages.home)
    given = request.POST.get("consent") == "on"
    service = request.POST.get("service", "")
    with refusals.told(request):
        services.consent_to_identity_provider(request.customer, given=given, service=service, by=request.user)
        messages.success(
            request,
            _("From now on people may sign in with the provider's identity provider.")
            if given
            else _("The provider's identity provider signs in nobody here any more."),
        )
    return redirect(desk.pages.home)


@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: ConsoleRequest) -> HttpResponse:
    return members.invite(request, _desk(request, Right.MANAGE_PEOPLE))


@require_http_methods(["GET", "HEAD", "POST"])
def member(request: ConsoleRequest, pk: int) -> HttpResponse:
    return members.member(request, _desk(request, Right.MANAGE_PEOPLE), pk)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: ConsoleRequest, pk: int) -> HttpResponse:
    return members.remove(request, _desk(request, Right.MANAGE_PEOPLE), pk)


@require_http_methods(["GET", "HEAD", "POST"])
def send_again(request: ConsoleRequest, pk: int) -> HttpResponse:
    return members.send_again(request, _desk(request, Right.MANAGE_PEOPLE), pk)


@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: ConsoleRequest, pk: int) -> HttpResponse:
    return members.withdraw(request, _desk(request, Right.MANAGE_PEOPLE), pk)


def _desk(request: ConsoleRequest, right: Right) -> Desk:
    """403 without the right."""
    require(request.user, request.customer, right)
    return Desk(request.customer, request.user, Pages("people"))
