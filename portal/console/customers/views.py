"""The way in: from the base host to where the person works."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers

from portal.console.frame import charts
from portal.console.frame.charts import Spark
from portal.console.frame.lists import page_of, searched
from portal.console.frame.live import asks_for_a_part
from portal.console.frame.places import kept
from portal.gates.hosts import ConsoleRequest
from portal.gates.links import console_url
from tenants import figures, services
from tenants.access import customers_of, providers_of, served_by, shut_out_of
from tenants.models import Customer

SWITCHER_LENGTH = 20  # more are found by typing


@dataclass(frozen=True)
class Row:
    """A customer in the list."""

    customer: Customer
    url: str
    stopped: int  # jobs that need somebody
    figures: figures.Overview
    spark: Spark
    overseen: bool  # by who asks, who works for its provider


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Leads providers' people to their customers, a customer's people to their console, other staff to the admin."""
    if providers_of(request.user).exists():
        return redirect("customers")
    mine = list(customers_of(request.user)[:2])
    if len(mine) == 1 and not shut_out_of(request.user).exists():
        return redirect(console_url(mine[0], request, kept()))
    if not mine and request.user.is_staff and not shut_out_of(request.user).exists():
        return redirect("admin:index")
    return redirect("customers")


@require_safe
def customers(request: HttpRequest) -> HttpResponse:
    """The customers that the person may enter: ?q= searches name and host, ?sort= orders them, ?page= counts."""
    search = searched(request)
    sort = request.GET.get("sort", "name")
    found = services.list_customers(by=request.user, search=search, sort=sort)
    page = page_of(request, found)
    stopped = services.stopped_jobs(page, by=request.user)
    told = figures.of_customers(page, by=request.user)
    mine = {provider.pk: provider for provider in served_by(request.user)}
    context: dict[str, Any] = {
        "page": page,
        "rows": _rows(page, request, stopped, told, mine),
        "q": search,
        "sort": sort,
        "show_provider": len(mine) > 1,
        "may_create": any(one.founds for one in mine.values()),  # type: ignore[attr-defined]  # annotated
        "shut_out": () if mine else shut_out_of(request.user),
        "anything": bool(page.paginator.count) or customers_of(request.user).exists(),
    }
    return render(request, "customers/customers.html", context)


def _rows(
    page: Iterable[Customer],
    request: HttpRequest,
    stopped: Mapping[UUID, int],
    told: Mapping[UUID, figures.Overview],
    mine: Container[int],
) -> list[Row]:
    path, name, nothing = kept(), _("Mail in, day by day"), figures.Overview()
    rows = []
    for customer in page:
        found = told.get(customer.pk, nothing)
        spark = charts.spark(name, found.mail_a_day)
        rows.append(
            Row(
                customer,
                console_url(customer, request, path),
                stopped.get(customer.pk, 0),
                found,
                spark,
                customer.provider_id in mine,
            )
        )
    return rows


@require_safe
@vary_on_headers("HX-Request")
def switch(request: ConsoleRequest) -> HttpResponse:
    """From one customer to another: ?q= searches, ?from= is the page that one is on and goes on to there.

    The frame asks for the list alone. Who sends the search off by Enter, or has no scripts, goes where it leads if that
    is one customer only, and else gets a page.
    """
    search = searched(request)
    found = list(services.find_customers(by=request.user, search=search)[: SWITCHER_LENGTH + 1])
    path = kept(request.GET.get("from", ""))
    if search and len(found) == 1 and not asks_for_a_part(request):
        return redirect(console_url(found[0], request, path))
    context = {
        "found": [(customer, console_url(customer, request, path)) for customer in found[:SWITCHER_LENGTH]],
        "here": getattr(request, "customer", None),
        "more": len(found) > SWITCHER_LENGTH,
        "q": search,
        "from": path,
    }
    page = "customers/found.html" if asks_for_a_part(request) else "customers/switch.html"
    return render(request, page, context)
