"""Who may translate the portal at /rosetta/."""

from typing import Any

GROUP = "translators"


def may_translate(user: Any) -> bool:
    """Platform staff, and whoever staff have put into the group."""
    if not user.is_authenticated or not user.is_active:
        return False
    return bool(user.is_staff) or user.groups.filter(name=GROUP).exists()
