"""Networks from which a customer's mail may come, in CIDR notation."""

from ipaddress import ip_network
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


def validate_networks(value: Any) -> None:
    """Raises ValidationError unless it is a list of networks such as "192.0.2.0/24" or "2001:db8::/32"."""
    if not isinstance(value, list) or not all(isinstance(network, str) for network in value):
        raise ValidationError(_('Type a list of networks, such as ["192.0.2.0/24"].'), code="networks")
    for network in value:
        try:
            ip_network(network)
        except ValueError:
            raise ValidationError(
                _("“%(network)s” is no network. Write it as 192.0.2.0/24 or 2001:db8::/32."),
                code="network",
                params={"network": network},
            ) from None
