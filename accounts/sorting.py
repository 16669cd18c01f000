"""Where names stand in lists: where people look for them, whatever marks and case their letters have."""

from django.db.models import Case

from accounts.folding import folded


def by_name(field: str = "name") -> tuple[Case, str, str]:
    """For order_by(): each row has one place, or pages would show some twice and others never."""
    return folded(field), field, "pk"
