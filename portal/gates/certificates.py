"""`/tls-ask`: for which hosts a web server in front may get certificates (Caddy calls that on-demand TLS)."""

import ipaddress
import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from portal.gates.mta_sts import policy_host
from tenants.models import Domain

log = logging.getLogger(__name__)

PATH = "/tls-ask"
NAME_LENGTH = 253  # of a host (RFC 1035, 2.3.4)
# What proxies put upon requests of others, which they send on. What they ask themselves has none of it.
SENT_ON = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_REAL_IP",
    "HTTP_FORWARDED",
    "HTTP_VIA",
)
# In which containers and machines of one site reach each other (RFC 1918, RFC 4193).
PRIVATE = [
    ipaddress.ip_network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
]
# Strange names that each process looks up: at once, and then in each second. Whoever opens TLS connections can send some.
AT_ONCE, EACH_SECOND = 60, 10.0
NEWS_SECONDS = 5.0  # between two looks at the names of all customers, while more are asked for
SAME_AGAIN_SECONDS = 60.0  # between two lines of the log that say that there are more


class CertificateNames:
    """Answers `/tls-ask?domain=NAME` before any host is looked at: 200 for a host that we serve, 404 for any other.

    The hosts are the base host, the gateway's name, that of its policy, and each with a Domain of a customer. Only our own proxy is answered
    (`GATEHOUSE_BEHIND_PROXY`), which asks from this machine or its private network, and only what it asks itself: for
    everybody else it is a path like any that leads nowhere. No authority gives certificates to whoever points names at us,
    and none of its limits is used up. A name costs one query at most. Of strange ones so many are looked up, and 429 from
    then on; customers' hosts are always answered, for Caddy asks anew before it takes a certificate that it has from its
    storage. While too many are asked for, a customer's new host is known NEWS_SECONDS later at most, and one that goes too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._strange, self._customers = _Allowance(), _CustomersHosts()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info != PATH or request.method != "GET" or not _asks_for_itself(request):
            return self.get_response(request)
        status = self._judge(request.GET.get("domain", "").lower().removesuffix("."))
        return HttpResponse(
            status=status, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"}
        )

    def _judge(self, name: str) -> int:
        if name in (settings.BASE_DOMAIN, settings.MAIL_DOMAIN, policy_host()):
            return 200
        if len(name) > NAME_LENGTH or not name.endswith(f".{settings.BASE_DOMAIN}"):
            return 404
        if not self._strange.has_some():
            return 200 if name in self._customers else 429
        if Domain.objects.filter(domain=name).exists():
            return 200
        self._strange.use_one()
        return 404


class _Allowance:
    """How many strange names may still be looked up: a bucket that fills by itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left, self._at = float(AT_ONCE), time.monotonic()
        self._told = self._at - SAME_AGAIN_SECONDS

    def has_some(self) -> bool:
        with self._lock:
            now = time.monotonic()
            self._left = min(self._left + (now - self._at) * EACH_SECOND, AT_ONCE)
            self._at = now
            if self._left >= 1:
                return True
            if now - self._told >= SAME_AGAIN_SECONDS:
                self._told = now
                log.warning(
                    "Certificates are asked for more strange names than are looked up: refused for now"
                )
            return False

    def use_one(self) -> None:
        with self._lock:
            self._left -= 1


class _CustomersHosts:
    """All of them, from one query each NEWS_SECONDS at most, and none while nobody asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: frozenset[str] = frozenset()
        self._until = time.monotonic()

    def __contains__(self, name: str) -> bool:
        with self._lock:
            if (now := time.monotonic()) >= self._until:
                self._names = frozenset(Domain.objects.values_list("domain", flat=True))
                self._until = now + NEWS_SECONDS
            return name in self._names


def _asks_for_itself(request: HttpRequest) -> bool:
    """ClientAddress has brought the peer's address into one spelling."""
    if not settings.ALLAUTH_TRUSTED_PROXY_COUNT or any(header in request.META for header in SENT_ON):
        return False
    peer = ipaddress.ip_address(request.META["REMOTE_ADDR"])
    return peer.is_loopback or any(peer in network for network in PRIVATE)
