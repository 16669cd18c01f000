"""How a mailbox, its address and its jobs look, wherever a page names them."""

from datetime import datetime
from uuid import UUID

from django import template
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from mailboxes import services
from mailboxes.models import Job, Mailbox
from portal.console.templatetags.look import icon
from tenants.activity import Who

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


@register.simple_tag
def copy_button(key: object, name: str) -> SafeString:
    """A small button beside the element `address-<key>`, which copies what stands there."""
    return format_html(
        '<button type="button" class="button quiet icon tiny reveal no-print" data-copy="#address-{}"'
        ' aria-label="{}" title="{}">{}</button>',
        key,
        gettext("Copy the address of %(name)s") % {"name": name},
        gettext("Copy"),
        icon("copy"),
    )


@register.filter
def progress(job: Job) -> services.Progress:
    """How a job gets on."""
    return services.progress(job)


@register.filter
def origin(job: Job, origins: dict[UUID, services.Origin]) -> services.Origin | None:
    """From which act a job came, if that is known."""
    return origins.get(job.pk)


@register.filter
def deleted_by(certificate: services.Certificate, askers: dict[UUID | None, Who]) -> Who:
    """Who asked for a mailbox's deletion."""
    return askers[certificate.mailbox_id]


@register.filter
def tls_name(version: str) -> str:
    """A version of TLS as people write it."""
    return version.replace("TLSv", "TLS ")


@register.filter
def instant(text: str) -> datetime | None:
    """A moment as certificates write it."""
    return parse_datetime(text)
