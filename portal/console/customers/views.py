"""The way in: from the base host to where the person works."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from portal.console.frame.lists import column, searched
from portal.gates.links import console_url
from tenants.access import customers_of, providers_of
from tenants.models import Customer, DirectoryEntry, OpenJob

PER_PAGE = 50

# What ?sort= may say; the primary key makes the order of equals stable over pages.
SORTS = {
    "name": ("name", "pk"),
    "-name": ("-name", "pk"),
    "mailboxes": ("mailboxes", "name", "pk"),
    "-mailboxes": ("-mailboxes", "name", "pk"),
}


@dataclass(frozen=True)
class Row:
    """A customer in the list."""

    customer: Customer
    url: str
    stopped: int  # jobs that need somebody


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Leads providers' people to their customers, a customer's people to their console, other staff to the admin."""
    if providers_of(request.user).exists():
        return redirect("customers")
    mine = list(customers_of(request.user)[:2])
    if len(mine) == 1:
        return redirect(console_url(mine[0], request))
    if not mine and request.user.is_staff:
        return redirect("admin:index")
    return redirect("customers")


@require_safe
def customers(request: HttpRequest) -> HttpResponse:
    """The customers that the person may enter: ?q= searches name and host, ?sort= is one of SORTS, ?page= counts."""
    search = searched(request)
    sort = request.GET.get("sort", "")
    sort = sort if sort in SORTS else "name"
    every = customers_of(request.user)
    found = _counted(every).order_by(*SORTS[sort])
    if search:
        label = search.lower().removesuffix(f".{settings.BASE_DOMAIN}")
        found = found.filter(Q(name__icontains=search) | Q(slug__icontains=label))
    page = Paginator(found.select_related("provider"), PER_PAGE).get_page(request.GET.get("page"))
    stopped = _stopped_jobs(page)
    context: dict[str, Any] = {
        "page": page,
        "rows": [
            Row(customer, console_url(customer, request), stopped.get(customer.pk, 0)) for customer in page
        ],
        "search": search,
        "sort": sort,
        "columns": [
            column(_("Name"), "name", sort),
            column(_("Host"), "", sort),
            column(_("Mailboxes"), "mailboxes", sort, numeric=True),
        ],
        "show_provider": providers_of(request.user).count() > 1,
        "anything": bool(page.paginator.count) or every.exists(),
    }
    return render(request, "customers/customers.html", context)


def _counted(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    alive = ~Q(directory_entries__status=DirectoryEntry.Status.RETIRED)
    return customers.annotate(mailboxes=Count("directory_entries", filter=alive))


def _stopped_jobs(customers: Iterable[Customer]) -> dict[UUID, int]:
    """How many jobs of each of these customers need somebody, where there are any."""
    stopped = OpenJob.objects.filter(customer__in=list(customers), state__in=OpenJob.STOPPED)
    return dict(stopped.order_by().values_list("customer").annotate(jobs=Count("pk")))
