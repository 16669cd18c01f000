"""Every part of the stylesheet on one page, for those who build pages: in the demo only."""

from datetime import timedelta

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.console.frame import charts

MAIL_IN = (9100, 10400, 9800, 11200, 10900, 2100, 1800) * 4
COLLECTED = (8900, 10300, 9700, 10100, 11600, 2200, 1900) * 4
IN_ORDER = charts.Grade("In order", "out", 8)
NONE_EXPECTED = charts.Grade("No mail expected", "rest", 3)
LATE = charts.Grade("Late", "warn", 14)
REFUSED = charts.Grade("Refused", "bad", 24)


@require_safe
def parts(request: HttpRequest) -> HttpResponse:
    """The parts in the order of their stylesheets, with the states in which they can be, and the charts."""
    if not settings.DEMO:
        raise Http404
    now = timezone.now()
    days = [now.date() - timedelta(days=back) for back in reversed(range(len(MAIL_IN)))]
    context = {
        "now": now,
        "plot": charts.plot(
            "Mail", days, charts.Series("In", MAIL_IN), charts.Series("Collected", COLLECTED, "out")
        ),
        "spark": charts.spark("Mail a day", MAIL_IN),
        "flat": charts.spark("Mail a day", [0] * 7),
        "strip": charts.strip(
            "Attention",
            days,
            [IN_ORDER] * 20 + [NONE_EXPECTED] * 2 + [LATE] * 3 + [REFUSED] + [IN_ORDER] * 2,
        ),
    }
    return render(request, "frame/gallery.html", context)
