"""The activity's sentences as a page shows them: with a link to what the act was done to."""

from django.conf import settings
from django.urls import reverse
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from portal.console.templatetags.look import breakable_addresses
from tenants.activity import Entry


def path(entry: Entry) -> str:
    """On the customer's host, of the mailbox's page or, when it is gone, of its certificate; empty for other things."""
    if entry.mailbox is None:
        return ""
    page = "mailboxes:certificate" if entry.mailbox.is_gone else "mailboxes:detail"
    # Named, for the base host's own knows no mailboxes.
    return reverse(page, args=[entry.mailbox.pk], urlconf=settings.ROOT_URLCONF)


def linked(entry: Entry, link: str = "") -> SafeString:
    """What happened, with the object as a link. Names keep their own writing direction."""
    template, said = entry.parts
    places = {name: format_html("<bdi>{}</bdi>", breakable_addresses(value)) for name, value in said.items()}
    if link and "object" in places:
        places["object"] = format_html('<a href="{}">{}</a>', link, places["object"])
    return mark_safe(escape(template) % places)  # noqa: S308 - each part has been escaped
