"""Whose address a request comes from, in one spelling."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.peers import canonical


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
