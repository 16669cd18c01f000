"""What the console's templates need beyond Django's own tags."""

import re
from datetime import datetime

from django import template
from django.template.defaultfilters import filesizeformat
from django.utils.dateparse import parse_datetime
from django.utils.formats import localize, number_format
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from mailboxes import services
from mailboxes.models import Job, Mailbox
from portal.console.templatetags.look import icon

register = template.Library()

# Colour only supports the text beside it.
STATUS_LOOKS = {
    Mailbox.Status.ACTIVE: ("ok", "gate-open"),
    Mailbox.Status.SUSPENDED: ("warn", "gate-shut"),
    Mailbox.Status.DELETING: ("bad", "gate-gone"),
}
JOB_LOOKS = {
    Job.State.DONE: ("ok", "circle-check"),
    Job.State.FAILED: ("bad", "octagon-x"),
    Job.State.WAITING: ("warn", "key-round"),
}
UNDER_WAY, PAUSED = ("info", "loader-circle"), ("warn", "hourglass")

MINUTE, HOUR = 60, 3600  # seconds
KIBIBYTE = 1024  # bytes, from which on a size is rounded


@register.simple_tag
def status_badge(mailbox: Mailbox, calm: bool = False) -> SafeString:
    """A mailbox's status by shape and word. In lists what is in order is calm: the eye is for the others."""
    tone, picture = STATUS_LOOKS[Mailbox.Status(mailbox.status)]
    quiet = " calm" if calm and tone == "ok" else ""
    return format_html(
        '<span class="badge {}{}">{}{}</span>', tone, quiet, icon(picture), mailbox.get_status_display()
    )


@register.simple_tag
def job_badge(progress: services.Progress, calm: bool = False) -> SafeString:
    """A job's state by shape and word; what is under way turns. In lists what is done is calm."""
    look = PAUSED if progress.next_try_at else JOB_LOOKS.get(Job.State(progress.job.state), UNDER_WAY)
    tone, picture = look
    turns = "spin" if look == UNDER_WAY else ""
    quiet = " calm" if calm and tone == "ok" else ""
    return format_html(
        '<span class="badge {}{}">{}{}</span>', tone, quiet, icon(picture, turns), progress.state
    )


@register.simple_tag
def address(mailbox: Mailbox, said: str = "") -> SafeString:
    """Where it takes mail, for copy_button: in a table without the domain if that is what the page has `said` of all."""
    local, _, domain = mailbox.address.partition("@")
    return format_html(
        '<span class="mono faint clip clip-narrow" id="address-{}">{}<wbr><span{}>@{}</span></span>',
        mailbox.pk,
        local,
        SafeString(' class="said"') if domain == said else "",
        domain,
    )


@register.filter
def stressing(sentence: str, number: int) -> SafeString:
    """The sentence with its number set as a figure, wherever the language puts it."""
    shown = conditional_escape(sentence)
    figure = rf"(?<!\d)(?<!\d[.,\s]){re.escape(localize(number))}(?![.,\s]?\d)"
    return SafeString(re.sub(figure, r"<b>\g<0></b>", shown, count=1))


@register.filter
def percent(number: int) -> str:
    """As the language writes it."""
    return gettext("%(percent)d%%") % {"percent": number}


@register.filter
def exact_size(octets: int) -> str:
    """As people say it, with the number of bytes where that is another one."""
    exact = ngettext("%(bytes)s byte", "%(bytes)s bytes", octets) % {"bytes": number_format(octets)}
    if octets < KIBIBYTE:
        return exact
    return gettext("%(size)s (%(bytes)s)") % {"size": filesizeformat(octets), "bytes": exact}


@register.filter
def progress(job: Job) -> services.Progress:
    """How a job gets on."""
    return services.progress(job)


@register.filter
def time_left(seconds: int) -> str:
    """An estimate as people say it: the longer, the less exact."""
    if seconds < MINUTE:
        count = max(seconds, 1)
        return ngettext("about %(count)d second left", "about %(count)d seconds left", count) % {
            "count": count
        }
    if seconds < 2 * HOUR:
        count = round(seconds / MINUTE)
        return ngettext("about %(count)d minute left", "about %(count)d minutes left", count) % {
            "count": count
        }
    count = round(seconds / HOUR)
    return ngettext("about %(count)d hour left", "about %(count)d hours left", count) % {"count": count}


@register.filter
def instant(text: str) -> datetime | None:
    """A moment as certificates write it."""
    return parse_datetime(text)
