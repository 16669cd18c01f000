"""At which place people are managed, and on which pages: what Team, People and the identity provider's page stand on."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from tenants import services
from tenants.models import Customer, Provider


@dataclass(frozen=True)
class Pages:
    """Where pages of a kind are: `prefix` begins their names in urls.py."""

    prefix: str
    provider: str = ""  # its slug, if the person works for several: every link says which

    def url(self, verb: str = "", *args: Any) -> str:
        name = f"{self.prefix}_{verb}" if verb else self.prefix
        return reverse(name, args=args) + (
            f"?{urlencode({'provider': self.provider})}" if self.provider else ""
        )

    @property
    def home(self) -> str:
        return self.url()

    @property
    def invite(self) -> str:
        return self.url("invite")


@dataclass(frozen=True)
class Desk:
    """Where people are managed, at a provider (“Team”) or at a customer (“People”), by whom, and on which pages."""

    place: Provider | Customer
    user: Any
    pages: Pages

    @cached_property  # each row of the list asks
    def may_manage(self) -> bool:
        return services.may_manage(self.user, self.place)

    @property
    def is_team(self) -> bool:
        return isinstance(self.place, Provider)

    @property
    def provider(self) -> Provider:
        """The place itself, or who serves it."""
        return self.place if isinstance(self.place, Provider) else self.place.provider
