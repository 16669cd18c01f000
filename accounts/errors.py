"""What refusals have in common, in every room."""

from typing import Any

from django.utils.translation import gettext_lazy as _


class Refusal(Exception):
    """Something was asked for that can't be. `code` is stable; `message` is translated and says what to do."""

    code = "refused"
    template: Any = _("That did not work.")

    def __init__(self, **details: Any) -> None:
        self.details = details
        super().__init__(self.code)

    @property
    def message(self) -> str:
        return str(self.template) % self.details

    def __str__(self) -> str:
        return self.message
