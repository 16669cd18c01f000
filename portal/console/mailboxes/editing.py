"""Editing a mailbox: its name, its description, and whether it takes mail."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.errors import Refusal
from mailboxes import errors, services
from mailboxes.models import Mailbox
from portal.console.frame import refusals
from portal.console.mailboxes.forms import EditForm, MailboxForm
from portal.console.mailboxes.redirects import to_the_mailbox
from portal.gates.hosts import ConsoleRequest
from tenants.access import Right


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Change name, description and status; suspending says what it costs."""
    mailbox = services.mailbox_for(request.user, request.customer, pk, Right.EDIT_MAILBOX)
    if refusal := services.refusal(mailbox, services.Act.EDIT):
        return to_the_mailbox(request, pk, refusal)
    if request.method == "POST":
        return _save(request, mailbox)
    form = _form(mailbox, wanted=_wanted(request))
    return render(request, "mailboxes/edit.html", {"mailbox": mailbox, "form": form})


def _save(request: ConsoleRequest, mailbox: Mailbox) -> HttpResponse:
    form = _form(mailbox, request.POST)
    if form.is_valid():
        try:
            saved = services.edit_mailbox(request.customer, mailbox, by=request.user, **form.changes)
        except errors.MailboxDeleting as error:
            return to_the_mailbox(request, mailbox.pk, error)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            messages.success(request, _outcome(mailbox, saved))
            return redirect("mailboxes:detail", pk=saved.pk)
    return render(request, "mailboxes/edit.html", {"mailbox": mailbox, "form": form})


def _form(mailbox: Mailbox, data: Any = None, *, wanted: str = "") -> EditForm:
    stored = {
        **{name: getattr(mailbox, name) for name in MailboxForm.base_fields},
        "status": mailbox.status,
        "reason": mailbox.suspension_reason,
    }
    form = EditForm(data, initial={**stored, "status": wanted or mailbox.status})
    form.stored = stored
    return form


def _wanted(request: ConsoleRequest) -> str:
    """The status that a link here has chosen; it counts when it is saved. Wrong words are as good as none."""
    wanted = request.GET.get("status", "")
    return wanted if wanted in services.SETTABLE else ""


def _outcome(before: Mailbox, saved: Mailbox) -> str:
    took, takes = (services.allows(each, services.Act.TAKE_MAIL) for each in (before, saved))
    if took == takes:
        return _("Your changes have been saved.")
    if takes:
        return _("“%(name)s” is active again and takes mail.") % {"name": saved.name}
    return _("“%(name)s” is suspended: new mail is put off from now on.") % {"name": saved.name}
