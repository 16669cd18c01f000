"""Why mail does not arrive: the delivery log of a mailbox, each reply with what it means and what to do; and a test of the
way that mail takes to it.
"""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from mailboxes import errors, services
from mailboxes.models import LogLine, Mailbox
from mailboxes.services import Act
from portal.console.frame.live import asks_for_a_part, fingerprint, part
from portal.console.mailboxes.meanings import Meaning, meaning
from portal.console.mailboxes.redirects import to_the_certificate, to_the_mailbox
from portal.console.mailboxes.steps import steps_of
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


@require_http_methods(["GET", "HEAD", "POST"])
@vary_on_headers("HX-Request")
def deliveries(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The log, newest first, in pages. A POST has the way to the mailbox tested; what is found asks for itself until it is there."""
    if request.method == "POST":
        return _test(request, pk)
    try:
        mailbox = services.mailbox_for(request.user, request.customer, pk, Right.VIEW_MAILBOXES)
    except errors.NoSuchMailbox:
        return to_the_certificate(request, pk)
    test = services.reach_test_of(request.customer, mailbox, by=request.user)
    seen = fingerprint(test, test and test.is_late)
    told = {
        "mailbox": mailbox,
        "test": test,
        "steps": steps_of(test) if test else [],
        "seen_test": seen,
        "may_test": Act.EDIT in services.acts_on(mailbox, request.rights),
    }
    if asks_for_a_part(request):
        return part(request, "mailboxes/deliveries.html#reach", told, seen=seen)
    return render(request, "mailboxes/deliveries.html", told | _log(request, mailbox))


def _test(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    mailbox = services.mailbox_for(request.user, request.customer, pk, Right.EDIT_MAILBOX)
    try:
        services.start_reach_test(
            request.customer, mailbox, by=request.user, with_message="with_message" in request.POST
        )
    except errors.TestedTooOften as refusal:
        messages.warning(request, refusal.message)
    except errors.MailboxDeleting as refusal:
        return to_the_mailbox(request, pk, refusal)
    return redirect(f"{reverse('mailboxes:deliveries', args=[pk])}#reach")


def _log(request: ConsoleRequest, mailbox: Mailbox) -> dict[str, Any]:
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
        "tab": "deliveries",
        "being_deleted": services.is_over(mailbox),
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
