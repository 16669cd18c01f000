"""The activity pages: on a customer's host what anybody did there, on the base host what a provider's people did."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.console.activity import feed, file, sentences
from portal.console.activity.forms import Question
from portal.gates.hosts import ConsoleRequest
from portal.gates.links import console_url
from tenants import activity


@require_safe
def customer_activity(request: ConsoleRequest) -> HttpResponse:
    """A customer's console: what anybody did at this customer."""
    return _page(request, _at_customer(request), sentences.path)


@require_safe
def customer_activity_csv(request: ConsoleRequest) -> HttpResponseBase:
    """The same as a file."""
    return _file(request, _at_customer(request), request.customer.slug)


@require_safe
def provider_activity(request: HttpRequest) -> HttpResponse:
    """The operators' host: what was done at the person's provider, and at the customers that they may enter."""

    def link(entry: activity.Entry) -> str:
        path = sentences.path(entry)
        return console_url(entry.customer, request, path) if entry.customer and path else ""

    return _page(request, activity.activity_for(request.user), link)


@require_safe
def provider_activity_csv(request: HttpRequest) -> HttpResponseBase:
    """The same as a file."""
    trail = activity.activity_for(request.user)
    return _file(request, trail, trail.providers[0].slug)


def _at_customer(request: ConsoleRequest) -> activity.Trail:
    return activity.activity_at(request.customer, by=request.user)


def _page(request: HttpRequest, trail: activity.Trail, link: Callable[[activity.Entry], str]) -> HttpResponse:
    question = Question(request.GET)
    page = activity.read(
        trail, question.asked(), before=request.GET.get("before", ""), after=request.GET.get("after", "")
    )
    filters = request.GET.copy()
    for moving in ("before", "after"):
        filters.pop(moving, None)

    def told(entry: activity.Entry) -> dict[str, Any]:
        return {
            "entry": entry,
            "what": sentences.linked(entry, link(entry)),
            "console": console_url(entry.customer, request, "/activity/") if entry.customer else "",
        }

    context = {
        "question": question,
        "page": page,
        "days": [
            {
                "title": day.title,
                "lines": [
                    told(line.entry) | {"glyph": line.glyph, "like_it": [told(each) for each in line.like_it]}
                    for line in day.lines
                ],
            }
            for day in feed.by_days(page.entries)
        ],
        "across": bool(trail.providers),
        "filters": filters.urlencode(),
        "zone": timezone.get_current_timezone_name(),
        "anything": bool(page.entries) or trail.events().exists(),
    }
    return render(request, "activity/activity.html", context)


def _file(request: HttpRequest, trail: activity.Trail, name: str) -> HttpResponseBase:
    response = StreamingHttpResponse(
        file.lines(trail, Question(request.GET).asked()), content_type="text/csv; charset=utf-8"
    )
    day = timezone.localdate().isoformat()
    response["Content-Disposition"] = f'attachment; filename="activity-{name}-{day}.csv"'
    return response
