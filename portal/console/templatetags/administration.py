"""What the administration and Rosetta show: the places in their rail, and texts that are translated."""

import re
from typing import Any

from django import template
from django.contrib import admin
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString

register = template.Library()

# Of a text, as it is written in HTML, what stays as it is in each language: placeholders, and tags.
TOKENS = re.compile(r"%(?:\([^\s)]*\))?[sd]|%%|\{\w+\}|&lt;/?[a-z](?:(?!&[lg]t;).)*&gt;")


@register.simple_tag(takes_context=True)
def administered(context: dict[str, Any]) -> list[dict[str, Any]]:
    """The rooms with their lists that the reader may see in the administration. Translators see none."""
    request = context["request"]
    return admin.site.get_app_list(request) if admin.site.has_permission(request) else []


@register.filter
def with_tokens(text: str) -> SafeString:
    """A text, or its translation, with each placeholder and tag as code: from left to right, whatever stands around it."""
    return SafeString(TOKENS.sub(r"<code>\g<0></code>", conditional_escape(text)))
