"""Every URL of a host, read from its URL conf, with its places filled."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, get_resolver

BASE, CUSTOMER = "portal.urls.base", "portal.urls.customer"
CONFS = {"base": BASE, "customer": CUSTOMER}
PLACE = re.compile(r"<(?:\w+:)?\w+>")


@dataclass(frozen=True)
class Route:
    """One line of a URL conf. `name` is what the table calls it: the name, or the address of what has none."""

    name: str
    address: str
    pattern: URLPattern

    @property
    def places(self) -> list[str]:
        return PLACE.findall(self.address)

    def filled(self, *values: str) -> str:
        """The path with the values in its places."""
        rest = iter(values)
        return "/" + PLACE.sub(lambda _: next(rest), self.address)


def routes(host: str) -> list[Route]:
    """All of them: a URL that is in no list here can't be reached either."""
    return list(_walk(get_resolver(CONFS[host]).url_patterns, "", ""))


def _walk(patterns: Any, before: str, namespace: str) -> Iterator[Route]:
    for entry in patterns:
        address = before + _plain(str(entry.pattern))
        if isinstance(entry, URLPattern):
            name = f"{namespace}{entry.name}" if entry.name else f"{namespace}/{address}"
            yield Route(name, address, entry)
        else:
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _walk(entry.url_patterns, address, inner)


def _plain(pattern: str) -> str:
    """A regular expression as an address with places: all that we and the libraries use fits."""
    pattern = pattern.removeprefix("^").removesuffix("$")
    return re.sub(r"\(\?P<(\w+)>[^()]*\)", r"<\1>", pattern)


def admin_object(route: Route) -> str:
    """The key of a row that the administration's page can show, or of none if there is none."""
    for model in admin.site._registry:
        if f"{model._meta.app_label}_{model._meta.model_name}_" in route.name or (
            f"/{model._meta.app_label}/{model._meta.model_name}/" in route.address
        ):
            row = model._default_manager.first()
            return str(row.pk) if row else "1"
    return "1"
