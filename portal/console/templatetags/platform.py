"""What the rail of platform staff and translators leads to."""

from typing import Any

from django import template
from django.contrib import admin

register = template.Library()


@register.simple_tag(takes_context=True)
def administered(context: dict[str, Any]) -> list[dict[str, Any]]:
    """The rooms with their lists that the reader may see in the administration. Translators see none."""
    request = context["request"]
    return admin.site.get_app_list(request) if admin.site.has_permission(request) else []
