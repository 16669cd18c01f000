"""Every part of the stylesheet on one page, for those who build pages: in the demo only."""

from datetime import timedelta

from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.console.frame import charts
from portal.console.frame.fields import BoundField, ShownPassword, TickedFirst

MAIL_IN = (9100, 10400, 9800, 11200, 10900, 2100, 1800) * 4
COLLECTED = (8900, 10300, 9700, 10100, 11600, 2200, 1900) * 4
IN_ORDER = charts.Grade("In order", "out", 8)
NONE_EXPECTED = charts.Grade("No mail expected", "rest", 3)
LATE = charts.Grade("Late", "warn", 14)
REFUSED = charts.Grade("Refused", "bad", 24)


class Quiet(BoundField):
    opens_the_page = False  # or the page would begin at its wrong field


class Fields(forms.Form):
    """A field of each kind, and in each state."""

    bound_field_class = Quiet

    plain = forms.CharField(help_text="What helps.", required=False)
    focus = forms.CharField(widget=forms.TextInput({"data-state": "focus"}), required=False)
    wrong = forms.CharField(required=False)
    off = forms.CharField(label="Disabled", disabled=True, initial="Exchange Journal", required=False)
    many = forms.ChoiceField(label="Choice of many", choices={"all": "Everything"})
    few = forms.ChoiceField(
        label="Choice of few", choices={"one": "The one", "other": "The other"}, widget=forms.RadioSelect
    )
    hundreds = forms.MultipleChoiceField(
        label="Boxes of which there may be hundreds",
        choices={str(number): f"Branch {number}" for number in range(1, 41)},
        widget=TickedFirst,
    )
    text = forms.CharField(widget=forms.Textarea({"rows": 2}), required=False)
    typed = forms.CharField(
        label="With a button that shows what is typed",
        widget=ShownPassword(render_value=True),
        required=False,
    )


def _filled() -> Fields:
    name = "Exchange Journal"
    typed = {
        "plain": name,
        "focus": name,
        "wrong": "Exchange",
        "few": "one",
        "hundreds": ["7", "32"],
        "many": "all",
        "typed": "secret",
    }
    form = Fields(typed, auto_id="f-%s")
    form.add_error("wrong", "There is one of this name.")
    return form


@require_safe
def parts(request: HttpRequest) -> HttpResponse:
    """The parts in the order of their stylesheets, with the states in which they can be, and the charts."""
    if not settings.DEMO:
        raise Http404
    now = timezone.now()
    days = [now.date() - timedelta(days=back) for back in reversed(range(len(MAIL_IN)))]
    context = {
        "now": now,
        "fields": _filled(),
        "q": "",
        "page": Paginator("abc", 1).page(2),
        "progress": {"total": 100, "done": 38, "percent": 38},
        "unknown": {"total": 0, "done": 0, "percent": 0},
        "job": {"is_live": True},
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
    return render(request, "gallery/gallery.html", context)
