"""What pages, documents and mails show of a provider."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from accounts.models import User
from accounts.names import addresses_in
from tenants.branding.colours import Palette, palette_of
from tenants.models import Branding, Logo, Provider


@dataclass(frozen=True)
class Brand:
    """A provider as its people and its customers' people see it. Of what it has not decided it has nothing, but a name."""

    name: str
    mail_name: str  # as mails say it, without an address
    key: str = ""
    colour: str = ""  # #rrggbb
    support_email: str = ""
    support_phone: str = ""
    support_url: str = ""
    logo_digest: str = ""  # SHA-256 of its octets
    logo_width: int = 0  # pixels
    logo_height: int = 0

    @property
    def palette(self) -> Palette | None:
        return palette_of(self.colour) if self.colour else None

    @property
    def website(self) -> str:
        """As people read it: all of them are by HTTPS."""
        return self.support_url.removeprefix("https://").removesuffix("/")

    @property
    def has_support(self) -> bool:
        return bool(self.support_email or self.support_phone or self.support_url)


def brand_of(provider: Provider) -> Brand:
    """Asks the database unless the provider came with its branding (select_related)."""
    row: Branding | None = getattr(provider, "branding", None)  # of who has none the relation is no attribute
    if row is None:
        return Brand(provider.name, provider.get_mail_name())
    name = row.name or provider.name
    return Brand(
        name=name,
        mail_name=provider.slug if addresses_in(name) else name,
        key=row.key,
        colour=row.colour,
        support_email=row.support_email,
        support_phone=row.support_phone,
        support_url=row.support_url,
        logo_digest=row.logo_digest,
        logo_width=row.logo_width,
        logo_height=row.logo_height,
    )


def brand_by_key(key: str) -> Brand | None:
    """For who was shown the key on a page of the provider's."""
    found = Provider.objects.select_related("branding").filter(branding__key=key).first()
    return brand_of(found) if found else None


def brand_of_person(user: Any) -> Brand | None:
    """Of who belongs to one provider, or to customers of one. Else nobody could say which."""
    if not isinstance(user, User) or user.pk is None:
        return None
    theirs = Q(memberships__user=user.pk) | Q(customers__memberships__user=user.pk)
    found = Provider.objects.select_related("branding").filter(theirs).order_by("pk").distinct()[:2]
    return brand_of(found[0]) if len(found) == 1 else None


def logo_of(brand: Brand) -> bytes | None:
    """The PNG."""
    found = Logo.objects.filter(branding__key=brand.key).first() if brand.logo_digest else None
    return bytes(found.octets) if found else None
