"""The list of mailboxes, and a mailbox's page."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRefresh

from mailboxes import errors, services
from mailboxes.models import Job, Mailbox
from portal.console.frame.lists import page_of, searched
from portal.console.frame.live import asks_for_a_part, fingerprint, part
from portal.console.mailboxes.jobs import job_context, shown_of
from portal.console.mailboxes.redirects import to_the_certificate
from portal.gates.hosts import ConsoleRequest
from tenants.access import Right

# Exchange Online keeps a mail for about a day. By then half of that is over, and others have bounced warnings.
LONG_SUSPENSION = timedelta(hours=12)


@require_safe
@vary_on_headers("HX-Request")
def index(request: ConsoleRequest) -> HttpResponse:
    """All mailboxes of the customer. While a job runs on one of them, the table fetches itself again."""
    search = searched(request)
    sort = request.GET.get("sort", "name")
    mailboxes = services.list_mailboxes(request.customer, by=request.user, search=search, sort=sort)
    page = page_of(request, mailboxes)
    seen = fingerprint(*map(_listed, page))
    context = {
        "page": page,
        "q": search,
        "sort": sort,
        "watching": any(job.is_live for mailbox in page if (job := mailbox.unfinished_job)),
        "seen": seen,
        "may_create": Right.CREATE_MAILBOX in request.rights,
        "domain": _common_domain(page),
    }
    if not asks_for_a_part(request):
        return render(request, "mailboxes/list.html", context)
    if not page.paginator.count:
        return HttpResponseClientRefresh()  # the last one is gone: no table can take the old one's place
    return part(request, "mailboxes/list.html#mailboxes", context, seen=seen)


@require_safe
@vary_on_headers("HX-Request")
def detail(request: ConsoleRequest, pk: UUID) -> HttpResponse:
    """A mailbox, in tabs: how it is, how to set up the senders and the archiver, which jobs there were."""
    try:
        mailbox = services.mailbox_for(request.user, request.customer, pk, Right.VIEW_MAILBOXES)
    except errors.NoSuchMailbox:
        return to_the_certificate(request, pk)  # links to a mailbox outlive it
    activity = services.activity(request.customer, mailbox, by=request.user)
    seen = fingerprint(mailbox.status, activity)
    context: dict[str, Any] = {
        "mailbox": mailbox,
        "activity": activity,
        "seen_activity": seen,
        "awaiting": _awaits_news(mailbox, activity),
        "tab": request.GET.get("tab"),
    }
    if asks_for_a_part(request):
        return part(request, "mailboxes/detail.html#activity", context, seen=seen)
    jobs = services.jobs_of(request.customer, mailbox, by=request.user)
    if shown := _worth_showing(jobs):
        context |= job_context(request, shown)
    deleting = mailbox.status == Mailbox.Status.DELETING
    context |= {
        "jobs": jobs,
        "tab": _tab(request, deleting, jobs),
        "deleting": deleting,
        "damage_told": shown is not None and _tells_the_damage(shown, activity),
        "long_suspension": _suspended_for_long(mailbox),
        "refusals": services.refusals_of(request.customer, mailbox, by=request.user),
        "may_edit": Right.EDIT_MAILBOX in request.rights and not deleting,
        "may_reset": Right.RESET_PASSWORD in request.rights and not deleting,
        "may_delete": Right.DELETE_MAILBOX in request.rights and not deleting,
        "servers": services.servers(),
        "mail_domain": mailbox.address.partition("@")[2],
    }
    return render(request, "mailboxes/detail.html", context)


def _common_domain(mailboxes: Iterable[Mailbox]) -> str:
    """What all their addresses end in; empty when they do not, as those made before the gateway's domain was changed."""
    domains = {mailbox.address.partition("@")[2] for mailbox in mailboxes}
    return domains.pop() if len(domains) == 1 else ""


def _listed(mailbox: Any) -> tuple[Any, ...]:
    """What the list shows of a mailbox."""
    job = mailbox.unfinished_job
    return (
        mailbox.pk,
        mailbox.name,
        mailbox.description,
        mailbox.status,
        mailbox.waiting,
        mailbox.waiting_octets,
        mailbox.locked,
        mailbox.damaged,
        mailbox.refused,
        mailbox.last_mail_at,
        mailbox.last_collection_at,
        job and (job.pk, *shown_of(services.progress(job))),
    )


def _tab(request: ConsoleRequest, deleting: bool, jobs: list[Job]) -> str:
    """The tab that is asked for, if there is one: nobody sets up what is being deleted."""
    shown = {"setup": not deleting, "jobs": bool(jobs)}
    asked = request.GET.get("tab", "")
    return asked if shown.get(asked) else "overview"


def _awaits_news(mailbox: Mailbox, activity: services.Activity) -> bool:
    """Whether the page still watches: until the first mail has come and the first collection has been made."""
    if mailbox.status == Mailbox.Status.DELETING:
        return False
    return activity.first_mail_at is None or activity.first_collection_at is None


def _worth_showing(jobs: list[Job]) -> Job | None:
    """The job that belongs on the mailbox's page: one that goes on, or the last one if it needs somebody."""
    if jobs and (jobs[0].is_live or jobs[0].state == Job.State.FAILED):
        return jobs[0]
    return None


def _tells_the_damage(job: Job, activity: services.Activity) -> bool:
    """Whether the job that is shown stopped at all the messages that can't be read: then it says so, and what to do."""
    return job.error == "unreadable" and activity.damaged <= job.total - job.done


def _suspended_for_long(mailbox: Mailbox) -> bool:
    return mailbox.suspended_at is not None and timezone.now() - mailbox.suspended_at > LONG_SUSPENSION
