"""A provider's days: they begin and end at midnight where it is."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from accounts.zones import UTC


def day_and_hour(moment: datetime, zone: ZoneInfo) -> tuple[date, int]:
    """Of a clock there. An hour that comes twice, when clocks are put back, is one."""
    there = moment.astimezone(zone)
    return there.date(), there.hour


def begin_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def end_of(day: date, zone: ZoneInfo) -> datetime:
    return begin_of(day + timedelta(days=1), zone)
