"""IP addresses of those who ask, in one spelling: what counts, limits or writes them down compares texts."""

import ipaddress
import re

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
