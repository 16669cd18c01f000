"""Whose letterhead a mail has: a provider's name, look and whom to ask, for its people and its customers' people.

This room can't know who belongs to whom: settings.MAIL_LETTERHEAD names who does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.utils.module_loading import import_string

from accounts.models import User

HEIGHT, WIDEST = 36, 180  # pixels, of a logo as mails show it


@dataclass(frozen=True)
class Logo:
    """A PNG, and how large it is shown."""

    octets: bytes
    width: int  # of its own
    height: int

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height in pixels, as it fits into the head."""
        scale = min(HEIGHT / self.height, WIDEST / self.width, 1)
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))


@dataclass(frozen=True)
class Letterhead:
    """`name` holds no address, of which mail programs would make a link. What there is not is empty."""

    name: str
    support_email: str = ""
    support_phone: str = ""
    support_url: str = ""
    # Values for some of accounts.mails.colours, checked for contrast by whoever chose them.
    light: Mapping[str, str] = field(default_factory=dict)
    dark: Mapping[str, str] = field(default_factory=dict)
    logo: Logo | None = None

    @property
    def reached_by(self) -> list[str]:
        """What stands in a sentence; an address of a page has a line of its own."""
        return [one for one in (self.support_email, self.support_phone) if one]


def of(user: User) -> Letterhead | None:
    """None: nobody's, so Gatehouse's own."""
    path = getattr(settings, "MAIL_LETTERHEAD", None)
    found: Letterhead | None = import_string(path)(user) if path else None
    return found
