"""Asking an identity provider over HTTP. Its address was typed by somebody, so it must lead nowhere but there."""

import ipaddress
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from accounts.openid.errors import (
    AnswersTooMuch,
    LeadsElsewhere,
    NotEncrypted,
    PrivateNetwork,
    TooManyAtOnce,
    Unreachable,
)
from accounts.peers import canonical

CONNECT_SECONDS = 3
SILENCE_SECONDS = 5
# For all of it, an answer or a whole sign-in's several: each drop that comes puts off the end of a silence.
WHOLE_SECONDS = 10
# Questions under way before anybody comes back, in each process: of one service and of all. Those of who comes back are
# counted by their address (portal.gates.fairness).
OF_ONE_SERVICE = 2
OF_ALL_SERVICES = 3
MAX_OCTETS = 512 * 1024  # the largest real ones, lists of keys, have some tens of kilobytes
PIECE = 16 * 1024
MAX_URL = 2048
SHOWN = 100  # characters of one that is too long
# IPv6 addresses that carry an IPv4 one: IPv4-compatible and mapped, NAT64 (RFC 6052, RFC 8215), 6to4, Teredo.
DETOURS = [
    ipaddress.ip_network(network)
    for network in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
]


class OutboundSession(requests.Session):
    """Takes no redirect, no plain HTTP but to this machine in the demo, no private network, no more than 512 KB, and no
    longer than 10 seconds; within a Deadline, no longer than is left of that.

    Raises what stands in accounts.openid.errors, and requests.RequestException.
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
        host = host_of(str(url))
        options |= {
            "timeout": (CONNECT_SECONDS, SILENCE_SECONDS),
            "allow_redirects": False,
            "stream": True,
        }
        with Deadline(WHOLE_SECONDS) as deadline:
            if deadline.is_over:  # by what was asked before
                raise AnswersTooMuch(host=host)
            try:
                with super().request(method, url, **options) as response:
                    if response.is_redirect:
                        raise LeadsElsewhere(url=str(url))
                    response._content = _read(response)
            except (requests.RequestException, HTTPError, OSError, UnicodeError) as error:
                raise (AnswersTooMuch if deadline.is_over else Unreachable)(host=host) from error
            finally:
                self.close()  # no connection is used twice: the next would be one that nobody watches
            if deadline.is_over:  # a connection that was shut looks like an answer's end
                raise AnswersTooMuch(host=host)
            return response

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Even where it follows none, requests would read a redirect's text to its end, however long."""


_under_way: Counter[str] = Counter()
_counting = threading.Lock()


@contextmanager
def one_of_few(service: str) -> Iterator[None]:
    """Around what somebody else's service, an issuer or a domain's name servers, may keep this thread waiting for: anybody
    can begin a sign-in, and nobody waits for a place. Raises TooManyAtOnce.
    """
    with _counting:
        if _under_way[service] >= OF_ONE_SERVICE or _under_way.total() >= OF_ALL_SERVICES:
            raise TooManyAtOnce(host=host_of(service) or service)
        _under_way[service] += 1
    try:
        yield
    finally:
        with _counting:
            _under_way[service] -= 1
            if not _under_way[service]:
                del _under_way[service]


class Deadline(ExitStack):
    """When an exchange is over at the latest: from then on its connection is shut, whatever waits for it. One within
    another ends with it: so several questions share the time of one.

    The time-outs of a socket can't say that, for they begin anew with each octet.
    """

    current: ContextVar["Deadline"] = ContextVar("outbound_deadline")

    def __init__(self, seconds: float) -> None:
        super().__init__()
        around = self.current.get(None)
        self._end = time.monotonic() + (min(seconds, around.left) if around else seconds)
        self.callback(self.current.reset, self.current.set(self))

    @property
    def left(self) -> float:
        """In seconds."""
        return max(self._end - time.monotonic(), 0.0)

    @property
    def is_over(self) -> bool:
        return not self.left

    def watch(self, peer: socket.socket) -> None:
        # A second handle, for TLS takes this one over.
        handle = self.enter_context(peer.dup())
        timer = threading.Timer(self.left, _shut, [handle])
        timer.daemon = True
        timer.start()
        self.callback(timer.join)
        self.callback(timer.cancel)


def _shut(peer: socket.socket) -> None:
    with suppress(OSError):  # it has ended by itself
        peer.shutdown(socket.SHUT_RDWR)


def check_scheme(url: str) -> None:
    """Raises NotEncrypted for what is no HTTPS URL. In the demo and in DEBUG mode HTTP will do on this machine: elsewhere
    it would fail for another reason, and say nothing of what has to be typed.
    """
    if len(url) > MAX_URL:  # nobody has typed it, and taking it to pieces may take the square of its length
        raise NotEncrypted(url=f"{url[:SHOWN]}…")
    plain = _is_playground() and is_loopback(host_of(url))
    allowed = ("https://", "http://") if plain else ("https://",)
    # What can't be printed would not fit into a header either.
    if not url.lower().startswith(allowed) or not host_of(url) or not url.isprintable() or " " in url:
        raise NotEncrypted(url=url)


def host_of(url: str) -> str:
    """Empty if there is none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """By its name or number: RFC 6761 keeps “localhost” and what ends with it for the machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_playground() -> bool:
    return bool(settings.DEMO or settings.DEBUG)


def _read(response: requests.Response) -> bytes:
    pieces, octets = [], 0
    while piece := response.raw.read1(PIECE):
        pieces.append(piece)
        octets += len(piece)
        if octets > MAX_OCTETS:
            raise AnswersTooMuch(host=host_of(response.url))
    return b"".join(pieces)


def _connect(host: str, port: int) -> socket.socket:
    """To the first of its addresses that answers; a name may have hundreds that don't.

    Names are resolved anew for each connection, so the addresses to judge are these, and before anything is sent there:
    how a port answers would tell who is there. Raises PrivateNetwork, for a name with a single address of that kind.
    """
    deadline = Deadline.current.get()
    failure = OSError("the name has no address")
    addresses = [found[4][0] for found in _look_up(host, port, deadline.left)]
    if not all(_may_enter(str(address)) for address in addresses):
        raise PrivateNetwork(host=host)
    for address in addresses:
        try:
            peer = socket.create_connection((str(address), port), min(CONNECT_SECONDS, deadline.left))
        except OSError as error:
            failure = error
        else:
            deadline.watch(peer)
            return peer
    raise failure


def _look_up(host: str, port: int, seconds: float) -> list[Any]:
    """The system's own look-up knows no deadline, and how long it takes is up to whoever has the name. Nobody waits longer;
    its thread ends when the system gives up, so there are only as many as questions within that time (`one_of_few`).

    Raises OSError or UnicodeError.
    """
    answers: SimpleQueue[Any] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except Empty:
        raise TimeoutError("the name is still being looked up") from None
    if isinstance(answer, Exception):
        raise answer
    return list(answer)


def _may_enter(text: str) -> bool:
    address = ipaddress.ip_address(canonical(text))
    return _is_playground() or is_public(address) or _is_invited(address)


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it leads to the public network, and not by a detour to an IPv4 address that it only carries."""
    detour = any(address in network for network in DETOURS)
    return address.is_global and not address.is_multicast and not detour


def _is_invited(address: Any) -> bool:
    networks = getattr(settings, "IDENTITY_PROVIDER_NETWORKS", ())
    return any(address in ipaddress.ip_network(network) for network in networks)


class _PlainConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self.host, self.port)


class _TLSConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self.host, self.port)


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class _PublicOnly(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TLSPool}
