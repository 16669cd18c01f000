"""Who is at the other end, and how many of them: addresses, networks and places."""

import ipaddress
from collections.abc import Iterator
from typing import Any, Protocol

from accounts.peers import canonical, network_of

NETWORK = 2  # the level that counts for a limit by network: /24, /48
UNKNOWN = "0.0.0.0"  # noqa: S104  never bound to: the name of a peer that hung up before it could be asked


def peer_address(transport: Any) -> str:
    """The peer's IP address in canonical form; an IPv4 address that came in over IPv6 is the IPv4 address."""
    name = transport.get_extra_info("peername")
    try:
        return canonical(name[0])
    except (TypeError, IndexError, ValueError, AttributeError):
        return UNKNOWN


def tls_version(transport: Any) -> str:
    """TLSv1.3, or empty where there is none."""
    tls = transport.get_extra_info("ssl_object") if transport is not None else None
    return (tls.version() or "") if tls is not None else ""


def address_of(peer: str) -> str:
    """What counts as one address: itself, or the /64 that a household gets."""
    return _net(peer, 64) if ":" in peer else peer


def levels_of(peer: str) -> tuple[str, str, str]:
    """By which places and turns are shared: network and address, and above them the /32 that a provider gets. Whoever
    has one has more sites than there are places.
    """
    network = network_of(peer)
    return _net(peer, 32) if ":" in peer else network, network, address_of(peer)


def _net(peer: str, prefix: int) -> str:
    return str(ipaddress.ip_network(f"{peer}/{prefix}", strict=False))


class Guest(Protocol):
    """Who has a place."""

    peer: str

    @property
    def at_work(self) -> bool:
        """Whether it is in the middle of what it came for."""

    def give_way(self) -> None:
        """End, for somebody else got the place."""


class _Group:
    """All places of a network, or of an address: those of the groups in it, or of its own guests, oldest first."""

    __slots__ = ("groups", "guests", "size")

    def __init__(self) -> None:
        self.size = 0
        self.groups: dict[str, _Group] = {}
        self.guests: dict[Guest, None] = {}

    def addresses(self) -> Iterator["_Group"]:
        if not self.groups:
            yield self
        for group in self.groups.values():
            yield from group.addresses()


class Places:
    """How many connections may be open, shared fairly between networks, and between the addresses of one network.

    While there is room everybody gets a place: a large sender delivers over dozens of connections at once. When there
    is none, the network with the most places gives one up for a network with fewer; what waits goes before what is
    at work, and what has waited longest first. So a stranger finds a place however many one network holds.
    """

    def __init__(self, *, total: int, per_network: int | None = None) -> None:
        self.total = total
        self.per_network = per_network
        self._all = _Group()

    @property
    def taken(self) -> int:
        return self._all.size

    def take(self, guest: Guest) -> bool:
        """Take a place, or say False: there is none that this guest has a better right to."""
        levels = levels_of(guest.peer)
        if self.per_network is not None:
            path = self._path(levels)
            if len(path) > NETWORK and path[NETWORK].size >= self.per_network:
                return False
        if self.taken >= self.total:
            other = self._who_gives_way(levels)
            if other is None:
                return False
            self.give_back(other)
            other.give_way()
        group = self._all
        group.size += 1
        for name in levels:
            group = group.groups.setdefault(name, _Group())
            group.size += 1
        group.guests[guest] = None
        return True

    def give_back(self, guest: Guest) -> None:
        """The place is free; nothing happens when it was free already."""
        levels = levels_of(guest.peer)
        path = self._path(levels)
        if guest not in path[-1].guests:
            return
        del path[-1].guests[guest]
        for outer, name, inner in zip(path, levels, path[1:], strict=False):
            outer.size -= 1
            if inner.size == 1:
                del outer.groups[name]
        path[-1].size -= 1

    def _path(self, levels: tuple[str, ...]) -> list[_Group]:
        """From all places down to those of an address, as far as there are any."""
        path = [self._all]
        for name in levels:
            if (group := path[-1].groups.get(name)) is None:
                break
            path.append(group)
        return path

    def _who_gives_way(self, levels: tuple[str, ...]) -> Guest | None:
        """Of the network that holds the most; if none holds more than the guest's own, of the most within that one, for
        a stranger in it must find a place all the same.
        """
        for outer, name in zip(self._path(levels), levels, strict=False):
            mine = outer.groups[name].size if name in outer.groups else 0
            largest = max((group.size for group in outer.groups.values()), default=0)
            if largest > mine:
                most = [group for group in outer.groups.values() if group.size == largest]
                guests = [address.guests for group in most for address in group.addresses()]
                return _first_to_go(guests, largest, mine)
        return None


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
