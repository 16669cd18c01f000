"""Resetting a mailbox's password, and unlocking with an earlier one what a reset has locked."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from accounts.errors import Refusal
from mailboxes import errors, services
from mailboxes.models import Job, Mailbox
from portal.console.frame import refusals
from portal.console.mailboxes.forms import ResetForm, UnderstoodForm, UnlockForm, as_read_at
from portal.console.mailboxes.redirects import to_the_mailbox
from portal.gates.hosts import ConsoleRequest
from tenants.access import Right


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("token", "current_password")
def reset_password(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Reset the password in two steps: prove or decide, and see the new one; confirm, and it holds."""
    mailbox = services.mailbox_for(request.user, request.customer, pk, Right.RESET_PASSWORD)
    if refusal := services.refusal(mailbox, services.Act.RESET_PASSWORD):
        return to_the_mailbox(request, pk, refusal)
    if request.method != "POST":
        return _ask(request, mailbox)
    return _confirm(request, mailbox) if "token" in request.POST else _offer(request, mailbox)


@sensitive_variables("form")
def _ask(
    request: ConsoleRequest, mailbox: Mailbox, form: ResetForm | None = None, refusal: Refusal | None = None
) -> HttpResponse:
    waiting = services.activity(request.customer, mailbox, by=request.user).readable
    form = form or ResetForm(initial=as_read_at(request.customer))
    form.tell(waiting=waiting)
    context = {
        "mailbox": mailbox,
        "takes_mail": services.allows(mailbox, services.Act.TAKE_MAIL),
        "waiting": waiting,
        "form": form,
        "refusal": refusal,
    }
    return render(request, "mailboxes/reset.html", context)


@sensitive_variables("form", "offer")
def _offer(request: ConsoleRequest, mailbox: Mailbox) -> HttpResponse:
    form = ResetForm(request.POST)
    if form.is_valid():
        asked = dict(form.cleaned_data)
        sheet_language = asked.pop("sheet_language")
        try:
            offer = services.offer_reset(request.customer, mailbox, by=request.user, **asked)
        except errors.MailboxDeleting as error:
            return to_the_mailbox(request, mailbox.pk, error)
        except Refusal as refusal:
            refusals.show(form, refusal)
        else:
            context = {
                "mailbox": mailbox,
                "name": mailbox.name,
                "description": mailbox.description,
                "offer": offer,
                "out_of_reach": offer.waiting and not offer.keeps_access,
                "form": UnderstoodForm(initial={"token": offer.token}),
                "servers": services.servers(),
                "sheet_language": sheet_language,
            }
            return render(request, "mailboxes/reset_password.html", context)
    return _ask(request, mailbox, form)


@sensitive_variables("form", "token")
def _confirm(request: ConsoleRequest, mailbox: Mailbox) -> HttpResponse:
    form = UnderstoodForm(request.POST)
    form.is_valid()  # it asks for nothing that could be missing
    token, understood = form.cleaned_data.get("token", ""), bool(form.cleaned_data.get("understood"))
    try:
        job = services.accept_reset(request.customer, mailbox, token, by=request.user, understood=understood)
    except (errors.AlreadyReset, errors.MailboxDeleting) as error:
        return to_the_mailbox(request, mailbox.pk, error)
    except (errors.OfferExpired, errors.OfferAltered, errors.OfferOutdated) as error:
        return _ask(request, mailbox, refusal=error)
    except Refusal as refusal:
        refusals.show(form, refusal)
        return render(request, "mailboxes/reset_confirm.html", {"mailbox": mailbox, "form": form})
    messages.success(
        request,
        _("The password of “%(name)s” has been reset. The old one no longer works.") % {"name": mailbox.name},
    )
    return _to_the_job(mailbox, job)


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@sensitive_variables("form")
def unlock(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """Unlock with an earlier password the mail that only that one opens; a job then seals it to the current key."""
    mailbox = services.mailbox_for(request.user, request.customer, pk, Right.RESET_PASSWORD)
    if refusal := services.refusal(mailbox, services.Act.UNLOCK):
        return to_the_mailbox(request, pk, refusal)
    form = UnlockForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            job = services.unlock(request.customer, mailbox, form.cleaned_data["password"], by=request.user)
        except errors.MailboxDeleting as error:
            return to_the_mailbox(request, pk, error)
        except Refusal as error:
            refusals.show(form, error)
        else:
            messages.success(request, _("That password fits: the mail that it opens is unlocked."))
            return _to_the_job(mailbox, job)
    activity = services.activity(request.customer, mailbox, by=request.user)
    if form.is_bound and not activity.locked:  # the button was pressed twice, or somebody was quicker
        messages.info(request, _("No mail is locked any more."))
        jobs = services.jobs_of(request.customer, mailbox, by=request.user)
        return _to_the_job(mailbox, next((job for job in jobs if job.is_live), None))
    context = {
        "mailbox": mailbox,
        "activity": activity,
        "form": form,
        "acts": services.acts_on(mailbox, request.rights),
    }
    return render(request, "mailboxes/unlock.html", context)


def _to_the_job(mailbox: Mailbox, job: Job | None) -> HttpResponse:
    """Where the work can be watched; without work, the mailbox's page."""
    return redirect("mailboxes:job", pk=job.pk) if job else redirect("mailboxes:detail", pk=mailbox.pk)
