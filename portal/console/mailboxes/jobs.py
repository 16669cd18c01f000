"""A job's page: how it gets on, what is wrong with it, and trying again."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from accounts.errors import Refusal
from mailboxes import errors, services
from mailboxes.models import Job
from portal.console.frame import refusals
from portal.console.frame.live import asks_for_a_part, fingerprint, part
from portal.console.mailboxes.forms import RetryForm
from portal.gates.hosts import ConsoleRequest
from tenants import answering

SAID_EVERY = 25  # percent: more often would drown out whatever else a screen reader has to say


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("password")
@vary_on_headers("HX-Request")
def job(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """How a job gets on. The part that changes asks for itself until the job is over; a POST tries again."""
    found = services.job_for(request.user, request.customer, pk)
    if request.method == "POST":
        return _retry(request, found)
    context = job_context(request, found)
    if not asks_for_a_part(request):
        return _page(request, context)
    context["announce"] = request.GET.get("said") != context["said"]
    return part(request, "mailboxes/progress.html", context, seen=context["seen"])


@sensitive_variables("form")
def _retry(request: ConsoleRequest, found: Job) -> HttpResponse:
    form = RetryForm(request.POST)
    form.is_valid()  # it asks for nothing that could be missing
    try:
        password = form.cleaned_data.get("password", "")
        again = services.retry(request.customer, found, by=request.user, password=password)
    except (errors.NothingToRetry, errors.NothingToUnlock, errors.MailboxDeleting) as error:
        messages.info(request, error.message)
        return redirect("mailboxes:job", pk=found.pk)
    except Refusal as refusal:
        refusals.show(form, refusal)
        return _page(request, job_context(request, found, form))
    messages.info(request, _("The job was started again."))  # true whatever becomes of it, which stands below
    return redirect("mailboxes:job", pk=again.pk)


def _page(request: ConsoleRequest, context: dict[str, Any]) -> HttpResponse:
    origins = services.origins_of(request.customer, [context["job"]], by=request.user)
    return render(request, "mailboxes/job.html", context | {"origins": origins})


@sensitive_variables("form")
def job_context(request: ConsoleRequest, found: Job, form: RetryForm | None = None) -> dict[str, Any]:
    """What mailboxes/progress.html shows of a job, on its own page and on the mailbox's."""
    progress = services.progress(found)
    allowed = services.right_to_retry(found) in request.rights
    return {
        "job": found,
        "progress": progress,
        "seen": fingerprint(*shown_of(progress)),
        "said": f"{found.state}-{progress.percent // SAID_EVERY}-{found.error}",
        "may_retry": allowed and progress.may_retry,
        "silent_since": answering.silent_since() if found.state in Job.WORKABLE else None,
        "retry_form": form or RetryForm(),
    }


def shown_of(progress: services.Progress) -> tuple[Any, ...]:
    """What pages show of a job that is under way."""
    return progress.state, progress.done, progress.total, progress.trouble, progress.next_try_at
