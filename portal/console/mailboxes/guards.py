"""Who gets through to a page of the console."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from mailboxes import errors, services
from mailboxes.models import Mailbox
from portal.gates.hosts import ConsoleRequest
from tenants.access import Right

# Somebody else deleted the mailbox between the finding and the doing.
OVERTAKEN = (errors.NoSuchMailbox, errors.MailboxDeleting)


def find_mailbox(request: ConsoleRequest, pk: UUID, right: Right) -> Mailbox:
    """The mailbox on whose page this person may do `right`. Raises what gives the 403 page or the 404 page."""
    try:
        return services.mailbox_for(request.user, request.customer, pk, right)
    except errors.NoSuchMailbox as error:
        raise Http404(error.message) from error


def to_the_mailbox(request: ConsoleRequest, pk: UUID, refusal: errors.MailboxError) -> HttpResponse:
    """Back to the mailbox's page, which shows how things stand, with what could not be done. 404 if it is gone."""
    if isinstance(refusal, errors.NoSuchMailbox):
        raise Http404(refusal.message)
    messages.info(request, refusal.message)
    return redirect("mailboxes:detail", pk=pk)


def find_certificate(request: ConsoleRequest, pk: UUID) -> services.Certificate:
    """The certificate of the deleted mailbox. Raises what gives the 404 page."""
    try:
        return services.certificate_of(request.customer, pk, by=request.user)
    except errors.NoSuchCertificate as error:
        raise Http404(error.message) from error


def to_the_certificate(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """From a mailbox that was deleted to what is left of it. 404 if there never was one."""
    find_certificate(request, pk)
    if not request.htmx:  # which only has the browser ask again
        messages.info(request, _("This mailbox has been deleted."))
    return redirect("mailboxes:certificate", pk=pk)
