"""Which host one is at, and links from one to another, with the scheme and port by which the person came."""

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port

from tenants.models import Customer


def at_base(request: HttpRequest) -> bool:
    """Whether this is the operators' host, and neither a customer's nor one that does not exist."""
    return bool(split_domain_port(request.get_host())[0] == settings.BASE_DOMAIN)


def base_url(request: HttpRequest, path: str = "/") -> str:
    """To the operators' host."""
    return _url(request, settings.BASE_DOMAIN, path)


def console_url(customer: Customer, request: HttpRequest, path: str) -> str:
    """To the customer's console."""
    return _url(request, customer.host, path)


def _url(request: HttpRequest, host: str, path: str) -> str:
    # The host header has been checked by HostTenant; behind a proxy it is the only one who knows the port outside.
    port = split_domain_port(request.get_host())[1]
    return f"{request.scheme}://{host}{':' + port if port else ''}{path}"
