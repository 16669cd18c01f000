"""The page of all parts, for developers."""

from typing import Any

from django.test import override_settings

from tests.cast import PASSWORD
from tests.journeys.tour.looking import Look


def parts(visitor: Any, stage: Any, company: Any, look: Look) -> None:
    """As the demo shows it."""
    visitor.signs_in(company.owner.email, PASSWORD)
    with override_settings(DEMO=True):
        visitor.page.goto(visitor.url("/parts/"))
    look("parts")
