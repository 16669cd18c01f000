"""Who is at the other end, and how many of them: addresses, networks and places."""

import ipaddress
from collections import Counter
from typing import Any

UNKNOWN = "0.0.0.0"  # noqa: S104  never bound to: the name of a peer that hung up before it could be asked


def peer_address(transport: Any) -> str:
    """The peer's IP address in canonical form; an IPv4 address that came in over IPv6 is the IPv4 address."""
    name = transport.get_extra_info("peername")
    try:
        address = ipaddress.ip_address(name[0].partition("%")[0])
    except (TypeError, IndexError, ValueError, AttributeError):
        return UNKNOWN
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


def network_of(peer: str) -> str:
    """The network that answers for this address: /24, or /64 where one household has billions of addresses."""
    prefix = 64 if ":" in peer else 24
    return str(ipaddress.ip_network(f"{peer}/{prefix}", strict=False))


class Places:
    """How many connections may be open, in all and by peer (an IPv4 address, or an IPv6 /64)."""

    def __init__(self, *, total: int, per_peer: int) -> None:
        self.total = total
        self.per_peer = per_peer
        self._taken: Counter[str] = Counter()
        self._all = 0

    def take(self, peer: str) -> bool:
        """Take a place, or say False: there is none left."""
        key = _place(peer)
        if self._all >= self.total or self._taken[key] >= self.per_peer:
            return False
        self._taken[key] += 1
        self._all += 1
        return True

    def give_back(self, peer: str) -> None:
        key = _place(peer)
        self._all -= 1
        self._taken[key] -= 1
        if not self._taken[key]:
            del self._taken[key]


def _place(peer: str) -> str:
    return network_of(peer) if ":" in peer else peer
