"""Time zones: which a person can choose, and which is theirs."""

from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User

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
def zones_by_region() -> tuple[tuple[Promise, tuple[tuple[str, str], ...]], ...]:
    """(region's name, ((zone, place), …)) in alphabetical order. The database's files are looked through once."""
    places: dict[str, list[tuple[str, str]]] = {region: [] for region in REGIONS}
    for zone in sorted(available_timezones()):
        region, _slash, place = zone.partition("/")
        if region in places and place:
            places[region].append((zone, place.replace("_", " ").replace("/", ", ")))
    return tuple((REGIONS[region], tuple(found)) for region, found in places.items())


def is_zone(name: str) -> bool:
    """Whether it can be chosen."""
    return any(name == zone for _region, places in zones_by_region() for zone, _place in places)


def zone_of(user: User) -> ZoneInfo:
    """The person's zone; UTC without a choice, or when the database no longer knows it. Never raises."""
    if not user.time_zone:
        return UTC
    try:
        return ZoneInfo(user.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
