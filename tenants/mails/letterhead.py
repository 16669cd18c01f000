"""A provider's letterhead, by which accounts.mails writes to its people and its customers' people (settings.MAIL_LETTERHEAD)."""

from typing import Any

from accounts.mails.letterhead import Letterhead, Logo
from tenants.branding import Brand, brand_of, brand_of_person, logo_of
from tenants.models import Customer, Provider


def letterhead_of(user: Any) -> Letterhead | None:
    """Of who belongs to one provider, or to customers of one."""
    brand = brand_of_person(user)
    return _written(brand) if brand else None


def letterhead_at(place: Provider | Customer) -> Letterhead:
    """Of a mail that is about this place, whoever reads it."""
    return _written(brand_of(place if isinstance(place, Provider) else place.provider))


def _written(brand: Brand) -> Letterhead:
    palette, octets = brand.palette, logo_of(brand)
    return Letterhead(
        name=brand.mail_name,
        support_email=brand.support_email,
        support_phone=brand.support_phone,
        support_url=brand.support_url,
        light={"accent": palette.light.accent, "accent_fill": palette.light.fill} if palette else {},
        dark={"accent": palette.dark.accent, "accent_fill": palette.dark.fill} if palette else {},
        logo=Logo(octets, brand.logo_width, brand.logo_height) if octets else None,
    )
