"""Who gets through to a page of the console, and what no cache may keep."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from accounts.models import User
from mailboxes import errors, services
from mailboxes.models import Mailbox
from tenants.access import Right, require
from tenants.models import Customer

View = Callable[..., HttpResponse]

# Somebody else deleted the mailbox between the finding and the doing.
OVERTAKEN = (errors.NoSuchMailbox, errors.MailboxDeleting)


class ConsoleRequest(HttpRequest):
    """A request as it gets here: somebody signed in, on the host of a customer where that person has rights."""

    user: User
    customer: Customer
    rights: frozenset[Right]
    htmx: HtmxDetails


def needs(right: Right) -> Callable[[View], View]:
    """For pages that show something before a verb is asked: who has no right there gets the 403 page, as from a verb."""

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            require(request.user, request.customer, right)
            return view(request, *args, **kwargs)

        return guarded

    return guard


def never_kept(view: View) -> View:
    """For pages that may hold a password: no cache keeps them, and no other site learns that they were open.

    The referrer policy is "same-origin", not "no-referrer": with that, browsers send "Origin: null" with the page's
    own form, which the protection against forged requests must refuse. The page's address says nothing secret.
    """

    @wraps(view)
    def marked(request: ConsoleRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        response["Referrer-Policy"] = "same-origin"
        return response

    return marked


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
