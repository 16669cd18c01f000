"""What a provider dresses our pages in: its logo, and a small stylesheet with its colour, each at an address that changes with
what is in it.

A gate as that of all other files of a page (WhiteNoise): before anybody is known, for sign-in pages show it, and browsers keep
it, which they may of no page that somebody signed in was shown.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from portal.gates.links import at_base
from portal.gates.requests import GatedRequest
from tenants import branding
from tenants.models import Provider

PATH = re.compile(r"/branding/(?P<key>[0-9a-f]{32})/(?P<digest>[0-9a-f]{16})\.(?P<kind>css|png)")
DIGITS = 16
KEPT = "public, max-age=31536000, immutable"  # seconds: a year


@dataclass(frozen=True)
class Dress:
    """A provider's look, as pages wear it."""

    brand: branding.Brand

    @property
    def name(self) -> str:
        return self.brand.name

    @property
    def is_own(self) -> bool:
        """Whether the provider has decided anything about its look."""
        return bool(self.brand.key)

    @property
    def logo(self) -> str:
        """Its address, or nothing."""
        return self._address(self.brand.logo_digest[:DIGITS], "png") if self.brand.logo_digest else ""

    @property
    def stylesheet(self) -> str:
        """Its address, or nothing: then pages keep Gatehouse's colour."""
        return self._address(_digest(self.rules), "css") if self.rules else ""

    @cached_property
    def rules(self) -> str:
        """In the layer of the tokens, of which it comes last. A theme's own value each, as there."""
        if (palette := self.brand.palette) is None:
            return ""
        light, dark = palette.light, palette.dark
        tokens = {
            "--accent": (light.accent, dark.accent),
            "--accent-fill": (light.fill, dark.fill),
            "--accent-fill-2": (light.fill_2, dark.fill_2),
        }
        said = "".join(f"{name}:light-dark({','.join(pair)});" for name, pair in tokens.items())
        return f"@layer tokens{{:root{{{said}}}}}"

    def _address(self, digest: str, kind: str) -> str:
        return f"/branding/{self.brand.key}/{digest}.{kind}"


def dress_of(provider: Provider) -> Dress:
    """Asks the database unless the provider came with its branding (select_related)."""
    return Dress(branding.brand_of(provider))


class ProvidersDress:
    """Serves both on the hosts of the provider's customers, and on the operators' host to whoever was shown the address
    there: its key is nobody's guess. Everywhere else, and under an address of before, there is nothing.

    Comes after HostTenant.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: GatedRequest) -> HttpResponseBase:
        asked = PATH.fullmatch(request.path_info) if request.method in ("GET", "HEAD") else None
        dress = _dress_here(request, asked["key"]) if asked else None
        if asked is None or dress is None or request.path_info not in (dress.logo, dress.stylesheet):
            return self.get_response(request)
        if asked["kind"] == "css":
            return _file(dress.rules.encode(), "text/css; charset=utf-8")
        octets = branding.logo_of(dress.brand)
        return _file(octets, "image/png") if octets else self.get_response(request)


def _dress_here(request: GatedRequest, key: str) -> Dress | None:
    if at_base(request):
        brand = branding.brand_by_key(key)
    else:
        brand = branding.brand_of(request.customer.provider) if request.customer else None
    return Dress(brand) if brand and brand.key == key else None


def _file(octets: bytes, kind: str) -> HttpResponse:
    return HttpResponse(octets, content_type=kind, headers={"Cache-Control": KEPT})


def _digest(rules: str) -> str:
    return hashlib.sha256(rules.encode()).hexdigest()[:DIGITS]
