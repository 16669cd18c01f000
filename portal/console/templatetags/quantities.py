"""Numbers as people say them, in each language."""

import re

from django import template
from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.formats import localize, number_format
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

register = template.Library()

MINUTE, HOUR = 60, 3600  # seconds
KIBIBYTE = 1024  # bytes, from which on a size is rounded


@register.filter
def stressing(sentence: str, number: int) -> SafeString:
    """The sentence with its number set as a figure, wherever the language puts it."""
    shown = conditional_escape(sentence)
    figure = rf"(?<!\d)(?<!\d[.,\s]){re.escape(localize(number))}(?![.,\s]?\d)"
    return SafeString(re.sub(figure, r"<b>\g<0></b>", shown, count=1))


@register.simple_tag
def password_characters() -> int:
    """How many a person's password has at least."""
    return settings.PASSWORD_CHARACTERS


@register.simple_tag
def reset_link_minutes() -> int:
    """How long the link works that is mailed to who has forgotten the password."""
    return settings.PASSWORD_RESET_TIMEOUT // MINUTE


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
