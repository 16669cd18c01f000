"""From a host to a customer, and into the customer's schema: only after it is known that the person may go there."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import (
    Http404,
    HttpRequest,
    HttpResponseNotFound,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import set_urlconf
from django_tenants.utils import tenant_context

from accounts.adapters.visitors import address_of
from accounts.models import User
from portal.gates.links import at_base
from portal.gates.requests import GatedRequest
from tenants import audit
from tenants.access import rights_of, shut_out_of
from tenants.models import Customer, Domain
from tenants.schemas import leave_for_public

GetResponse = Callable[[HttpRequest], HttpResponseBase]
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
SIGN_OUT = "/accounts/logout/"


class ConsoleRequest(GatedRequest):
    """A request as it gets here: somebody signed in, on the host of a customer where that person has rights."""

    user: User
    customer: Customer


class CanonicalHost:
    """Leads who typed localhost to the base host: a session cookie for all hosts needs a name with two labels. On a host
    that is none of ours, not even a label below it, there is nothing: neither our frame nor a file.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            name, port = split_domain_port(request.get_host())
        except DisallowedHost:
            name, port = "", ""
        if name in LOOPBACK_NAMES and name != settings.BASE_DOMAIN and request.method in ("GET", "HEAD"):
            host = f"{settings.BASE_DOMAIN}:{port}" if port else settings.BASE_DOMAIN
            return HttpResponseRedirect(f"{request.scheme}://{host}{request.get_full_path()}")
        if not f".{name}".endswith(f".{settings.BASE_DOMAIN}"):
            return HttpResponseNotFound("Not Found", content_type="text/plain; charset=utf-8")
        return self.get_response(request)


class HostTenant:
    """Sets request.customer and request.urlconf by the host, and the origin that the audit trail will show.

    The connection stays in the public schema, and is back there after each request, whatever happened.
    Comes after CanonicalHost, which lets through hosts of ours only.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: GatedRequest) -> HttpResponseBase:
        leave_for_public()
        origin = audit.origin.set(address_of(request))
        try:
            _lead(request)
            return self.get_response(request)
        finally:
            audit.origin.reset(origin)
            leave_for_public()


class CustomerGate:
    """On a customer's host: lets the anonymous pass to the sign-in, enters the schema for who has rights, and is 404
    for everybody else, on every path alike. On hosts of no customer there is nobody with rights, and else the same.
    So nobody learns which customers exist, or which pages they have. Whom a suspension shuts out is told so, 403.

    Comes after authentication. Sets request.rights, which is empty outside a customer's console.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: GatedRequest) -> HttpResponseBase:
        request.rights = frozenset()
        customer = request.customer
        if at_base(request) or not request.user.is_authenticated:
            return self.get_response(request)
        request.rights = rights_of(request.user, customer) if customer else frozenset()
        if customer is None or not request.rights:
            if request.path_info.startswith(SIGN_OUT):
                return self.get_response(request)
            if customer is not None and shut_out_of(request.user).filter(pk=customer.pk).exists():
                return render(request, "suspended.html", {"suspended": customer}, status=403)
            raise Http404
        with tenant_context(customer):
            response = self.get_response(request)
        if isinstance(response, StreamingHttpResponse):
            response.streaming_content = _inside(customer, cast(Iterable[Any], response.streaming_content))
        return response


def _lead(request: GatedRequest) -> None:
    """Unknown hosts below ours go on until the gate, so that theirs are the pages that strangers get elsewhere."""
    name, _ = split_domain_port(request.get_host())  # lower case, without a trailing dot
    request.customer = None
    request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
    if not at_base(request):
        request.customer = _customer_at(name)
        request.urlconf = settings.ROOT_URLCONF
    # Error pages of later middleware are rendered before the handler looks at request.urlconf.
    set_urlconf(request.urlconf)


def _customer_at(host: str) -> Customer | None:
    domain = Domain.objects.select_related("tenant__provider__branding").filter(domain=host).first()
    return domain.tenant if domain else None


def _inside(customer: Customer, chunks: Iterable[Any]) -> Iterator[Any]:
    """Each chunk is made inside the schema; between two of them the connection is in public, should nobody go on."""
    iterator = iter(chunks)
    while True:
        with tenant_context(customer):
            try:
                chunk = next(iterator)
            except StopIteration:
                return
        yield chunk
