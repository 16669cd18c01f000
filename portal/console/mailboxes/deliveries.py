"""Why mail does not arrive: the delivery log of a mailbox, each reply with what it means and what to do."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from mailboxes import errors, services
from mailboxes.models import LogLine, Mailbox
from portal.console.mailboxes.meanings import Meaning, meaning
from portal.console.mailboxes.redirects import to_the_certificate
from portal.gates.hosts import ConsoleRequest
from tenants.access import Right

# What ?show= asks for: a direction, or an outcome. All else is all.
SHOWN: dict[str, dict[str, str]] = {
    "mail": {"direction": LogLine.Direction.DELIVERY},
    "collections": {"direction": LogLine.Direction.COLLECTION},
    "put-off": {"outcome": LogLine.Outcome.PUT_OFF},
    "refused": {"outcome": LogLine.Outcome.REFUSED},
}
HIGHEST = 2**63 - 1  # of a line's number


@require_safe
def deliveries(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The log, newest first, in pages."""
    try:
        mailbox = services.mailbox_for(request.user, request.customer, pk, Right.VIEW_MAILBOXES)
    except errors.NoSuchMailbox:
        return to_the_certificate(request, pk)
    return render(request, "mailboxes/deliveries.html", _context(request, mailbox))


def _context(request: ConsoleRequest, mailbox: Mailbox) -> dict[str, Any]:
    asked = request.GET.get("show", "")
    show = asked if asked in SHOWN else ""
    page = services.deliveries_of(
        request.customer,
        mailbox,
        by=request.user,
        **SHOWN.get(show, {}),
        before=_line(request, "before"),
        after=_line(request, "after"),
    )
    return {
        "mailbox": mailbox,
        "tab": "deliveries",
        "being_deleted": mailbox.status == Mailbox.Status.DELETING,
        "jobs": services.jobs_of(request.customer, mailbox, by=request.user),
        "show": show,
        "page": page,
        "lines": [_shown(line) for line in page.lines],
        "days": settings.DELIVERY_LOG_DAYS,
    }


def _shown(line: LogLine) -> tuple[LogLine, Meaning]:
    return line, meaning(line)


def _line(request: HttpRequest, name: str) -> int | None:
    """The number that an address names; None for what is none."""
    text = request.GET.get(name, "")
    return min(int(text), HIGHEST) if text.isdecimal() and len(text) < 20 else None
