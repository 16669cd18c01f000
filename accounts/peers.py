"""IP addresses of those who ask, in one spelling: what counts, limits or writes them down compares texts."""

import ipaddress
import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_WITH_PORT = re.compile(r"\[(?P<v6>[^\]]+)\](:\d+)?|(?P<v4>[0-9.]+):\d+")


def canonical(text: str) -> str:
    """An address without port, brackets and zone; an IPv4 address that came in over IPv6 is the IPv4 address.

    Raises ValueError for what is none.
    """
    text = text.strip()
    if found := _WITH_PORT.fullmatch(text):
        text = found["v6"] or found["v4"]
    address = ipaddress.ip_address(text.partition("%")[0])
    return str(getattr(address, "ipv4_mapped", None) or address)


def network_of(address: str) -> str:
    """The network that answers for an address, and in which its owner stays for days: /24, or the /48 that a site gets.

    Raises ValueError for what is no address.
    """
    return str(ipaddress.ip_network(f"{address}/{48 if ':' in address else 24}", strict=False))


class ClientAddress:
    """Rewrites the addresses of a request, before anybody reads them. What a proxy calls none is the proxy's own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        meta = request.META
        meta["REMOTE_ADDR"] = peer = _or(meta.get("REMOTE_ADDR", ""), "0.0.0.0")  # noqa: S104  of a socket in the file system
        if settings.ALLAUTH_TRUSTED_PROXY_COUNT and "HTTP_X_FORWARDED_FOR" in meta:
            parts = meta["HTTP_X_FORWARDED_FOR"].split(",")
            meta["HTTP_X_FORWARDED_FOR"] = ", ".join(_or(part, peer) for part in parts)
        return self.get_response(request)


def _or(text: str, otherwise: str) -> str:
    try:
        return canonical(text)
    except ValueError:
        return otherwise
