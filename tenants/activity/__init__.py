"""The audit trail, as people read it."""

from tenants.activity.reading import (
    PAGE_LENGTH,
    Asked,
    Entry,
    Trail,
    Who,
    activity_at,
    activity_for,
    nobody,
    read,
    read_all,
    search,
)
from tenants.activity.words import Kind, details, sentence

__all__ = [
    "PAGE_LENGTH",
    "Asked",
    "Entry",
    "Kind",
    "Trail",
    "Who",
    "activity_at",
    "activity_for",
    "details",
    "nobody",
    "read",
    "read_all",
    "search",
    "sentence",
]
