"""MTA-STS (RFC 8461): where senders read that mail for us comes over verified TLS, or not at all."""

import hashlib
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseNotFound
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase

PATH = "/.well-known/mta-sts.txt"
MODES = ("none", "testing", "enforce")  # section 5; none takes back what stood there before (section 8.3)
# For how long a sender holds a policy. One that binds is meant to last for weeks (3.2); the others are about to change.
MAX_AGE_SECONDS = {"none": 86_400, "testing": 86_400, "enforce": 14 * 86_400}
ID_CHARACTERS = 20  # at most 32 letters and digits (3.1)


def policy_host() -> str:
    return f"mta-sts.{settings.MAIL_DOMAIN}"


def policy() -> str:
    """The gateway is its domain's only mail server."""
    lines = [
        "version: STSv1",
        f"mode: {settings.MTA_STS}",
        f"mx: {settings.MAIL_DOMAIN}",
        f"max_age: {MAX_AGE_SECONDS[settings.MTA_STS]}",
    ]
    return "".join(f"{line}\r\n" for line in lines)


def policy_id() -> str:
    """Another one for another policy: senders fetch it anew when the id in DNS has changed."""
    return hashlib.sha256(policy().encode()).hexdigest()[:ID_CHARACTERS]


class TransportPolicy:
    """Serves the policy on its own host, and nothing else there.

    Answers before anything leads elsewhere: senders follow no redirect (3.3). It takes no query.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            host, _port = split_domain_port(request.get_host())
        except DisallowedHost:
            host = ""
        if host != policy_host():
            return self.get_response(request)
        if request.path_info != PATH:
            return HttpResponseNotFound("Not Found", content_type="text/plain; charset=utf-8")
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        # What lies in a cache would outlive the id (3.3).
        return HttpResponse(policy(), content_type="text/plain", headers={"Cache-Control": "no-store"})
