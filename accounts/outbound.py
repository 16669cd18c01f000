"""Asking an identity provider over HTTP. Its address was typed by somebody, so it must lead nowhere but there."""

import ipaddress
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from accounts.openid_errors import AnswersTooMuch, LeadsElsewhere, NotEncrypted, PrivateNetwork, Unreachable

CONNECT_SECONDS = 3
SILENCE_SECONDS = 5
WHOLE_SECONDS = 10  # for an answer that comes in drops
MAX_OCTETS = 512 * 1024  # the largest real ones, lists of keys, have some tens of kilobytes
PIECE = 16 * 1024


class OutboundSession(requests.Session):
    """Takes no redirect, no plain HTTP outside the demo, no private network, and no more than 512 KB in 10 seconds.

    Raises what stands in accounts.openid_errors, and requests.RequestException.
    """

    def __init__(self) -> None:
        super().__init__()
        # A proxy would do the connecting, past the check below; and ~/.netrc would send our passwords along.
        self.trust_env = False
        self.verify = getattr(settings, "IDENTITY_PROVIDER_CA_FILE", "") or True
        self.headers["Accept-Encoding"] = "identity"
        for scheme in ("http://", "https://"):
            self.mount(scheme, _PublicOnly())

    def request(self, method: Any, url: Any, **options: Any) -> requests.Response:  # type: ignore[override]
        check_scheme(str(url))
        options |= {
            "timeout": (CONNECT_SECONDS, SILENCE_SECONDS),
            "allow_redirects": False,
            "stream": True,
        }
        try:
            with super().request(method, url, **options) as response:
                if response.is_redirect:
                    raise LeadsElsewhere(url=str(url))
                response._content = _read(response)
                return response
        except (requests.RequestException, HTTPError, OSError) as error:
            raise Unreachable(host=host_of(str(url))) from error


def check_scheme(url: str) -> None:
    """Raises NotEncrypted for what is no HTTPS URL. In the demo and in DEBUG mode HTTP will do."""
    allowed = ("https://", "http://") if _is_playground() else ("https://",)
    # What can't be printed would not fit into a header either.
    if not url.lower().startswith(allowed) or not host_of(url) or not url.isprintable() or " " in url:
        raise NotEncrypted(url=url)


def host_of(url: str) -> str:
    """Empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_playground() -> bool:
    return bool(settings.DEMO or settings.DEBUG)


def _read(response: requests.Response) -> bytes:
    pieces, octets, deadline = [], 0, time.monotonic() + WHOLE_SECONDS
    while piece := response.raw.read1(PIECE):
        pieces.append(piece)
        octets += len(piece)
        if octets > MAX_OCTETS or time.monotonic() > deadline:
            raise AnswersTooMuch(host=host_of(response.url))
    return b"".join(pieces)


# Names are resolved anew for each connection, so the address to judge is the one that was really reached. Nothing has
# been sent to it by then.
def _checked(peer: socket.socket, host: str) -> socket.socket:
    address = ipaddress.ip_address(peer.getpeername()[0].partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    if _is_playground() or (mapped.is_global and not mapped.is_multicast) or _is_invited(mapped):
        return peer
    peer.close()
    raise PrivateNetwork(host=host)


def _is_invited(address: Any) -> bool:
    networks = getattr(settings, "IDENTITY_PROVIDER_NETWORKS", ())
    return any(address in ipaddress.ip_network(network) for network in networks)


class _PlainConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), self.host)


class _TLSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _checked(super()._new_conn(), self.host)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _PublicOnly(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TLSPool}
