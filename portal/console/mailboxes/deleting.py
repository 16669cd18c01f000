"""Deleting a mailbox, and what proves it afterwards."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.errors import Refusal
from mailboxes import errors, services
from mailboxes.models import Job, Mailbox
from portal.console.frame import refusals
from portal.console.frame.lists import page_of, searched
from portal.console.mailboxes.forms import DeleteForm
from portal.console.mailboxes.redirects import to_the_certificate, to_the_mailbox
from portal.gates.hosts import ConsoleRequest
from tenants.access import Right


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Say what will be lost, have the name typed, and destroy every key at once; a job then frees the storage."""
    try:
        mailbox = services.mailbox_for(request.user, request.customer, pk, Right.DELETE_MAILBOX)
    except errors.NoSuchMailbox:
        # A small mailbox may be gone before the second press of the button arrives.
        return to_the_certificate(request, pk)
    if services.refusal(mailbox, services.Act.SEE_LOSSES):
        return _to_the_deletion(request, mailbox)
    form = DeleteForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            job = services.start_deletion(request.customer, mailbox, by=request.user, **form.cleaned_data)
        except errors.MailboxDeleting:
            return _to_the_deletion(request, mailbox)
        except errors.NoSuchMailbox:
            return to_the_certificate(request, pk)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            messages.success(
                request,
                _("The keys of “%(name)s” are destroyed: nobody can read its mail any more.")
                % {"name": mailbox.name},
            )
            return redirect("mailboxes:job", pk=job.pk)
    context = {
        "mailbox": mailbox,
        "losses": services.losses(request.customer, mailbox, by=request.user),
        "form": form,
        "acts": services.acts_on(mailbox, request.rights),
    }
    return render(request, "mailboxes/delete.html", context)


def _to_the_deletion(request: ConsoleRequest, mailbox: Mailbox) -> HttpResponse:
    messages.info(request, errors.MailboxDeleting().message)
    for job in services.jobs_of(request.customer, mailbox, by=request.user):
        if job.kind == Job.Kind.DELETION:
            return redirect("mailboxes:job", pk=job.pk)
    return redirect("mailboxes:detail", pk=mailbox.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def delete_locked(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Give up the mail that only an earlier password opens, once it is clear that nobody has that one."""
    mailbox = services.mailbox_for(request.user, request.customer, pk, Right.DELETE_MAILBOX)
    if refusal := services.refusal(mailbox, services.Act.DELETE_LOCKED_MAIL):
        return to_the_mailbox(request, pk, refusal)
    if request.method == "POST":
        try:
            job = services.delete_locked_mail(request.customer, mailbox, by=request.user)
        except (errors.NothingToUnlock, errors.MailboxDeleting) as error:
            return to_the_mailbox(request, pk, error)
        messages.success(request, _("The keys of the locked mail are destroyed."))
        return redirect("mailboxes:job", pk=job.pk) if job else redirect("mailboxes:detail", pk=pk)
    context = {"mailbox": mailbox, "activity": services.activity(request.customer, mailbox, by=request.user)}
    return render(request, "mailboxes/delete_locked.html", context)


# --- What remains ---
@require_safe
def deleted(request: ConsoleRequest) -> HttpResponse:
    """The mailboxes that are gone, each with its certificate."""
    search = searched(request)
    sort = request.GET.get("sort", "-finished_at")
    found = services.certificates(request.customer, by=request.user, search=search, sort=sort)
    page = page_of(request, found)
    context = {
        "page": page,
        "askers": services.deleted_by(request.customer, page, by=request.user),
        "q": search,
        "sort": sort,
    }
    return render(request, "mailboxes/deleted.html", context)


@require_safe
def certificate(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """A deletion's certificate, to read and to print; of one that can't be read, what to do."""
    found = services.certificate_of(request.customer, pk, by=request.user)
    page = "mailboxes/certificate_damaged.html" if found.damaged else "mailboxes/certificate.html"
    return render(request, page, {"certificate": found, "facts": found.facts, "pk": pk})


@require_safe
def certificate_json(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """The same for programs, and for `manage.py` to verify. There is none of one that can't be read."""
    found = services.certificate_of(request.customer, pk, by=request.user)
    if found.damaged:
        raise errors.NoSuchCertificate
    name = f"deletion-{pk}.json"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(found.as_json(), content_type="application/json", headers=headers)
