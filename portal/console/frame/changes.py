"""Forms for what is there already: who saves one means what they changed on it, and nothing else."""

from collections.abc import Mapping
from typing import Any

from django import forms


class Changes(forms.BaseForm):
    """The page brings along what it showed, and a verb gets what was changed on it, to judge by what is so by then.

    Somebody else may have decided about the rest since the page was opened, suspended the mailbox for one, and who saves
    another name does not mean to take that back. What both have changed is as the last of them said.
    """

    stored: Mapping[str, Any] = {}  # what is so, of fields with which the page begins otherwise

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.remember()

    def remember(self) -> None:
        """Of all fields what the page shows. For a form that may be for something new, to be left out then."""
        for field in self.fields.values():
            field.show_hidden_initial = True

    @property
    def changes(self) -> dict[str, Any]:
        """What was changed, as a verb takes it."""
        return {name: self.cleaned_data[name] for name in self.changed_data if name in self.cleaned_data}

    def ticked_before(self, name: str) -> list[Any]:
        """What of a field with boxes was ticked when the page was opened."""
        field: Any = self.fields[name]
        bound: Any = self[name]
        if bound.shown is None:
            return list(bound.initial or ())
        return [row for row in field.queryset if str(row.pk) in bound.shown]
