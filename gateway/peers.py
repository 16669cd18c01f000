"""Who is at the other end, and how many of them: addresses, networks and places."""

import ipaddress
from collections import Counter
from typing import Any, Protocol

from accounts.peers import canonical

UNKNOWN = "0.0.0.0"  # noqa: S104  never bound to: the name of a peer that hung up before it could be asked


def peer_address(transport: Any) -> str:
    """The peer's IP address in canonical form; an IPv4 address that came in over IPv6 is the IPv4 address."""
    name = transport.get_extra_info("peername")
    try:
        return canonical(name[0])
    except (TypeError, IndexError, ValueError, AttributeError):
        return UNKNOWN


def network_of(peer: str) -> str:
    """The network that answers for this address: /24, or /64 where one household has billions of addresses."""
    prefix = 64 if ":" in peer else 24
    return str(ipaddress.ip_network(f"{peer}/{prefix}", strict=False))


class Guest(Protocol):
    """Who has a place."""

    peer: str

    @property
    def at_work(self) -> bool:
        """Whether it is in the middle of what it came for."""

    def give_way(self) -> None:
        """End, for somebody else got the place."""


class Places:
    """How many connections may be open, shared fairly between networks, and between the addresses of one network.

    While there is room everybody gets a place: a large sender delivers over dozens of connections at once. When there
    is none, the network with the most places gives one up for a network with fewer; what waits goes before what is
    at work, and what has waited longest first. So a stranger finds a place however many one network holds.
    """

    def __init__(self, *, total: int, per_network: int | None = None) -> None:
        self.total = total
        self.per_network = per_network
        self._taken = 0
        # By network and address, oldest first.
        self._networks: dict[str, dict[str, dict[Guest, None]]] = {}
        self._sizes: Counter[str] = Counter()

    def take(self, guest: Guest) -> bool:
        """Take a place, or say False: there is none that this guest has a better right to."""
        network, address = _levels(guest.peer)
        if self.per_network is not None and self._sizes[network] >= self.per_network:
            return False
        if self._taken >= self.total:
            other = self._who_gives_way(network, address)
            if other is None:
                return False
            self.give_back(other)
            other.give_way()
        self._networks.setdefault(network, {}).setdefault(address, {})[guest] = None
        self._sizes[network] += 1
        self._taken += 1
        return True

    def give_back(self, guest: Guest) -> None:
        """The place is free; nothing happens when it was free already."""
        network, address = _levels(guest.peer)
        guests = self._networks.get(network, {}).get(address, {})
        if guest not in guests:
            return
        del guests[guest]
        self._sizes[network] -= 1
        self._taken -= 1
        if not guests:
            del self._networks[network][address]
        if not self._sizes[network]:
            del self._networks[network], self._sizes[network]

    def _who_gives_way(self, network: str, address: str) -> Guest | None:
        largest = max(self._sizes.values(), default=0)
        mine = self._sizes[network]
        if largest > mine:
            groups = [
                guests
                for name, size in self._sizes.items()
                if size == largest
                for guests in self._networks[name].values()
            ]
            return _first_to_go(groups, largest, mine)
        # Nobody holds more than this network: a stranger in it must find a place all the same.
        neighbours = self._networks.get(network, {})
        largest = max(map(len, neighbours.values()), default=0)
        mine = len(neighbours.get(address, {}))
        groups = [guests for guests in neighbours.values() if len(guests) == largest]
        return _first_to_go(groups, largest, mine) if largest > mine else None


def _first_to_go(groups: list[dict[Guest, None]], largest: int, mine: int) -> Guest | None:
    """Of those who hold the most: who waits before who works, then from the address that has most, then the oldest.

    Two that hold nearly the same don't take places from each other in turns; only who has none may ask for a last one,
    and then of somebody who waits.
    """
    groups = sorted(groups, key=len, reverse=True)
    waiting = next((guest for guests in groups for guest in guests if not guest.at_work), None)
    if largest > mine + 1:
        return waiting or next(iter(groups[0]))
    return waiting if mine == 0 else None


def _levels(peer: str) -> tuple[str, str]:
    """Network and address, as places are shared: /24 and one address; /48 and /64, as sites and households get them."""
    if ":" not in peer:
        return network_of(peer), peer
    return str(ipaddress.ip_network(f"{peer}/48", strict=False)), network_of(peer)
