"""The audit trail, as people read it."""

from tenants.activity.reading import (
    PAGE_LENGTH,
    Asked,
    Entry,
    Trail,
    activity_at,
    activity_for,
    read,
    read_all,
    search,
)

__all__ = [
    "PAGE_LENGTH",
    "Asked",
    "Entry",
    "Trail",
    "activity_at",
    "activity_for",
    "read",
    "read_all",
    "search",
]
