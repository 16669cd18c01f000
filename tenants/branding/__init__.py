"""How a provider looks: its name, logo, colour and whom to ask, and where a stranger may see them.

All of that is shown to whoever opens the sign-in of one of its customers, so reading it asks nobody; what else is known of
a provider never comes out here.
"""

from tenants.branding.brand import Brand, brand_by_key, brand_of, brand_of_person, logo_of
from tenants.branding.colours import Palette
from tenants.branding.deciding import (
    Changes,
    branding_of,
    remove_logo,
    reset_branding,
    set_branding,
    set_logo,
)
from tenants.branding.logos import MOST_OCTETS as LOGO_OCTETS
from tenants.branding.logos import MOST_PIXELS as LOGO_PIXELS

__all__ = [
    "LOGO_OCTETS",
    "LOGO_PIXELS",
    "Brand",
    "Changes",
    "Palette",
    "brand_by_key",
    "brand_of",
    "brand_of_person",
    "branding_of",
    "logo_of",
    "remove_logo",
    "reset_branding",
    "set_branding",
    "set_logo",
]
