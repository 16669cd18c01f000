"""The activity as a feed: by days, a line for each act, bursts of like acts folded into one."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import groupby

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from tenants.activity import Entry, Kind

BURST = timedelta(hours=1)  # what lies further apart was not done in one go

PICTURES = {
    Kind.MAILBOXES: "inbox",
    Kind.PASSWORDS: "key-round",
    Kind.JOBS: "rotate-cw",
    Kind.PEOPLE: "users",
    Kind.SIGN_IN: "shield-check",
    Kind.SETTINGS: "settings",
    Kind.OTHER: "activity",
}
# Acts that have a picture of their own, and a colour where mail may be refused or lost, or a key is at stake.
GLYPHS = {
    "mailbox.created": ("plus", ""),
    "mailbox.suspended": ("gate-shut", "warn"),
    "mailbox.activated": ("gate-open", "ok"),
    "mailbox.deletion-started": ("trash-2", "bad"),
    "mailbox.deleted": ("trash-2", ""),
    "mailbox.password-reset": ("key-round", "key"),
    "mailbox.password-refused": ("triangle-alert", "warn"),
    "mailbox.unlocked": ("lock-open", "ok"),
    "mailbox.locked-mail-deleted": ("trash-2", "bad"),
    "job.failed": ("octagon-alert", "bad"),
    "job.waits": ("hourglass", "warn"),
    "membership.added": ("user-check", ""),
    "invitation.created": ("user-plus", ""),
    "customer.created": ("building-2", ""),
}


@dataclass(frozen=True)
class Line:
    """An act, and those like it that were done right before."""

    entry: Entry
    like_it: list[Entry] = field(default_factory=list)

    @property
    def glyph(self) -> tuple[str, str]:
        """Picture and colour."""
        return GLYPHS.get(self.entry.event.action, (PICTURES[self.entry.kind], ""))


@dataclass(frozen=True)
class Day:
    """What happened on a day of the reader's."""

    day: date
    lines: list[Line]

    @property
    def title(self) -> str:
        """Weekday and date, and whether that is today."""
        today = [_("Today")] if self.day == timezone.localdate() else []
        return _(", ").join([*today, date_format(self.day, "l"), date_format(self.day, "DATE_FORMAT")])


def by_days(entries: Iterable[Entry]) -> list[Day]:
    """The entries of a page, in their order: newest first."""
    return [Day(day, folded(those)) for day, those in groupby(entries, _day)]


def folded(entries: Iterable[Entry]) -> list[Line]:
    """A line for each entry, but one for those in a row that are alike and lie within an hour."""
    lines: list[Line] = []
    for entry in entries:
        if lines and _alike(lines[-1].entry, entry):
            lines[-1].like_it.append(entry)
        else:
            lines.append(Line(entry))
    return lines


def _day(entry: Entry) -> date:
    return timezone.localdate(entry.event.at)


def _alike(first: Entry, entry: Entry) -> bool:
    """Whether the same one did the same from the same address, to things of a kind at the same place, in one go."""
    return _what(first) == _what(entry) and abs(first.event.at - entry.event.at) <= BURST


def _what(entry: Entry) -> tuple[object, ...]:
    event = entry.event
    by = (event.actor_id, event.actor_email, event.actor_side, event.vouched_by, event.origin, entry.who.name)
    # Not the action alone: a role of owner that is given in a burst of viewers' would stand there unsaid, and so would
    # the one who is limited to no customers among those who are.
    return event.action, entry.act, by, event.target_type, event.customer_id, event.provider_id
