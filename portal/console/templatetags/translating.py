"""How texts are shown to those who translate them."""

import re

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString

register = template.Library()

# Of a text, as it is written in HTML, what stays as it is in each language: placeholders, and tags.
TOKENS = re.compile(r"%(?:\([^\s)]*\))?[sd]|%%|\{\w+\}|&lt;/?[a-z](?:(?!&[lg]t;).)*&gt;")


@register.filter
def with_tokens(text: str) -> SafeString:
    """A text, or its translation, with each placeholder and tag as code: from left to right, whatever stands around it."""
    return SafeString(TOKENS.sub(r"<code>\g<0></code>", conditional_escape(text)))
