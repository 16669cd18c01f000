"""People: a customer's own people. On the customer's host, where CustomerGate has let nobody in without a role."""

from typing import Any

from django.http import HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from tenants import views_members
from tenants.access import Right, require
from tenants.views_members import Desk


@never_cache
@require_safe
def people(request: Any) -> HttpResponse:
    desk = _desk(request, Right.VIEW_PEOPLE)
    return views_members.index(request, desk, "tenants/people.html", {"provider": desk.provider})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: Any) -> HttpResponse:
    return views_members.invite(request, _desk(request, Right.MANAGE_PEOPLE))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def member(request: Any, pk: int) -> HttpResponse:
    return views_members.member(request, _desk(request, Right.MANAGE_PEOPLE), pk)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: Any, pk: int) -> HttpResponse:
    return views_members.remove(request, _desk(request, Right.MANAGE_PEOPLE), pk)


@require_http_methods(["GET", "HEAD", "POST"])
def send_again(request: Any, pk: int) -> HttpResponse:
    return views_members.send_again(request, _desk(request, Right.MANAGE_PEOPLE), pk)


@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: Any, pk: int) -> HttpResponse:
    return views_members.withdraw(request, _desk(request, Right.MANAGE_PEOPLE), pk)


def _desk(request: Any, right: Right) -> Desk:
    """403 without the right."""
    require(request.user, request.customer, right)
    return Desk(request.customer, request.user, "people")
