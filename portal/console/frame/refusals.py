"""Where pages say what a verb refuses: beside the field that it is about, above the form, or on the page to come.

A view names a kind of refusal only where it decides something by it; all others are one `except Refusal`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from accounts.errors import Refusal

# What no other words in the form would mend. portal.gates.refusals has pages for it.
BEYOND_THE_FORM = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


def show(form: forms.BaseForm, refusal: Refusal) -> None:
    """Beside its field if the form shows that one, else above the form.

    Raises the refusal again if it is no matter of what was typed: the thing is not there, or not this person's.
    """
    _pass_on(refusal)
    field = form.fields.get(refusal.field)
    seen = field is not None and not field.widget.is_hidden
    form.add_error(refusal.field if seen else None, worded(refusal))


@contextmanager
def told(request: HttpRequest) -> Iterator[None]:
    """What a verb within refuses is said on the page to come, for buttons without a form; show() says what is raised
    again.
    """
    try:
        yield
    except Refusal as refusal:
        _pass_on(refusal)
        messages.error(request, refusal.message)


def worded(refusal: Refusal) -> ValidationError:
    """As Django's forms have it, for what they check before a verb is called."""
    return ValidationError([ValidationError(message, code=refusal.code) for message in refusal.messages])


def _pass_on(refusal: Refusal) -> None:
    if not refusal.field and refusal.status in BEYOND_THE_FORM:
        raise refusal
