"""Time zones: which a person can choose, and which is theirs."""

from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from babel.core import get_global
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

UTC = ZoneInfo("UTC")

# The tz database's own regions. What lies outside them are old names for the same places.
REGIONS: dict[str, Promise] = {
    "Africa": _("Africa"),
    "America": _("America"),
    "Antarctica": _("Antarctica"),
    "Arctic": _("Arctic"),
    "Asia": _("Asia"),
    "Atlantic": _("Atlantic Ocean"),
    "Australia": _("Australia"),
    "Europe": _("Europe"),
    "Indian": _("Indian Ocean"),
    "Pacific": _("Pacific Ocean"),
}


@cache
def _zones() -> tuple[str, ...]:
    """All within the regions, in alphabetical order. The database's files are looked through once."""
    regions = tuple(f"{region}/" for region in REGIONS)
    return tuple(sorted(zone for zone in available_timezones() if zone.startswith(regions)))


def zones_by_region(kept: str = "") -> list[tuple[Promise, list[tuple[str, str]]]]:
    """(region's name, [(zone, place), …]) in alphabetical order, each place by its name of today.

    `kept` is offered by an old one, too: who has chosen it keeps it until they choose another.
    """
    old_names = get_global("zone_aliases")
    places: dict[str, list[tuple[str, str]]] = {region: [] for region in REGIONS}
    for zone in _zones():
        if zone == kept or zone not in old_names:
            region, _slash, place = zone.partition("/")
            places[region].append((zone, place.replace("_", " ").replace("/", ", ")))
    return [(REGIONS[region], found) for region, found in places.items()]


def is_zone(name: str) -> bool:
    """Whether it is a place's, by its name of today or an old one."""
    return name in _zones()


class HasTimeZone(Protocol):
    """A person, or a provider."""

    time_zone: str


def zone_of(whose: HasTimeZone) -> ZoneInfo:
    """The person's or provider's zone; UTC without a choice, or when the database no longer knows it. Never raises."""
    if not whose.time_zone:
        return UTC
    try:
        return ZoneInfo(whose.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
