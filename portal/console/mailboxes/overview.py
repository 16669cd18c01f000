"""The list of mailboxes, and a mailbox's page."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import HttpResponseClientRefresh

from mailboxes import errors, services
from mailboxes.models import Job, Mailbox
from portal.console.frame import charts
from portal.console.frame.lists import page_of, searched
from portal.console.frame.live import asks_for_a_part, fingerprint, part
from portal.console.mailboxes.jobs import job_context, shown_of
from portal.console.mailboxes.redirects import to_the_certificate
from portal.gates.hosts import ConsoleRequest
from tenants import figures
from tenants.access import Right


@require_safe
@vary_on_headers("HX-Request")
def index(request: ConsoleRequest) -> HttpResponse:
    """All mailboxes of the customer. While a job runs on one of them, the table fetches itself again."""
    search = searched(request)
    sort = request.GET.get("sort", "name")
    mailboxes = services.list_mailboxes(request.customer, by=request.user, search=search, sort=sort)
    page = page_of(request, mailboxes)
    mail = figures.mail_of_mailboxes(request.customer, [mailbox.pk for mailbox in page], by=request.user)
    for mailbox in page:
        mailbox.spark = charts.spark(_("Mail in, day by day"), mail[mailbox.pk])
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
    condition = services.condition(mailbox, activity)
    jobs = [] if asks_for_a_part(request) else services.jobs_of(request.customer, mailbox, by=request.user)
    seen = fingerprint(mailbox.status, activity)
    context: dict[str, Any] = {
        "mailbox": mailbox,
        "activity": activity,
        "seen_activity": seen,
        "condition": condition,
        "tab": _tab(request, condition, jobs),
    }
    if asks_for_a_part(request):
        return part(request, "mailboxes/detail.html#activity", context, seen=seen)
    if shown := services.unsettled(jobs):
        context |= job_context(request, shown)
    context |= {
        "jobs": jobs,
        "behind": services.behind(request.customer, mailbox, by=request.user),
        "sign_in_refusals": services.sign_in_refusals_of(request.customer, mailbox, by=request.user),
        "acts": services.acts_on(mailbox, request.rights),
        "servers": services.servers(),
        "mail_domain": mailbox.address.partition("@")[2],
    }
    if context["tab"] == "overview":
        context["plot"] = _plot(request, mailbox)
    if context["tab"] == "jobs":
        context["origins"] = services.origins_of(request.customer, jobs, by=request.user)
    return render(request, "mailboxes/detail.html", context)


def _plot(request: ConsoleRequest, mailbox: Mailbox) -> charts.Plot:
    days = figures.days_of_mailbox(request.customer, mailbox.pk, by=request.user)
    return charts.plot(
        _("Mail in and collected, day by day"),
        [day.day for day in days],
        charts.Series(_("Mail in"), [day.messages_in for day in days]),
        charts.Series(_("Collected"), [day.messages_out for day in days], "out"),
    )


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


def _tab(request: ConsoleRequest, condition: services.Condition, jobs: list[Job]) -> str:
    """The tab that is asked for, if there is one: nobody sets up what is being deleted."""
    shown = {"setup": not condition.being_deleted, "jobs": bool(jobs)}
    asked = request.GET.get("tab", "")
    return asked if shown.get(asked) else "overview"
