"""Which addresses are this machine's alone."""

import ipaddress


def is_loopback(bind: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    if bind == "localhost":
        return True
    try:
        address = ipaddress.ip_address(bind)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def bracketed(bind: str) -> str:
    """An address as it stands before `:port`."""
    return f"[{bind}]" if ":" in bind else bind
