"""Where a page of a mailbox leads when the mailbox is not as the page expects it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from mailboxes import errors, services
from portal.gates.hosts import ConsoleRequest


def to_the_mailbox(request: ConsoleRequest, pk: UUID, refusal: errors.MailboxError) -> HttpResponse:
    """Back to the mailbox's page, which shows how things stand, with what could not be done."""
    messages.info(request, refusal.message)
    return redirect("mailboxes:detail", pk=pk)


def to_the_certificate(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """From a mailbox that was deleted to what is left of it. Raises NoSuchCertificate if there never was one."""
    services.certificate_of(request.customer, pk, by=request.user)
    if not request.htmx:  # which only has the browser ask again
        messages.info(request, _("This mailbox has been deleted."))
    return redirect("mailboxes:certificate", pk=pk)
