"""What becomes of a verb's refusal that no view catches."""

import logging
from collections.abc import Callable, Iterator
from http import HTTPStatus
from traceback import format_tb

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from accounts.errors import Refusal

log = logging.getLogger(__name__)


class Refusals:
    """Answers it by its status, so that no view turns errors into pages by hand.

    What is not there becomes the 404 page, what is not allowed the 403 page, as Django makes and logs them. With any
    other status a view has forgotten something: that is logged as an error, and people read what the refusal says, or
    only that something went wrong if it is on our side, where words meant for somebody else may stand.

    Stands last, because of a view's exceptions the last gate is asked first, and what this one raises ends the asking:
    so no gate before it takes a refusal for something of its own, and a gate put after it may decide otherwise. All
    of them are around it still: the customer's schema, the person's language, and whatever else the pages show.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Raises Http404 and PermissionDenied."""
        if not isinstance(exception, Refusal):
            return None
        if exception.status == HTTPStatus.NOT_FOUND:
            raise Http404(exception.message) from exception
        if exception.status == HTTPStatus.FORBIDDEN:
            raise PermissionDenied(exception.message) from exception
        # Without its text, which may quote what somebody typed, and so a forged line.
        log.error("no page answers %s at %r\n%s", exception.code, request.path, "".join(_where(exception)))
        ours = exception.status >= HTTPStatus.INTERNAL_SERVER_ERROR
        template = "500.html" if ours else "refused.html"
        return render(request, template, {"refusal": exception}, status=exception.status)


def _where(error: BaseException | None) -> Iterator[str]:
    """The lines of code that it went through, and those of what it came from: a full disk, a service that is away."""
    while error is not None:
        yield from format_tb(error.__traceback__)
        error = error.__cause__
        if error is not None:
            yield f"caused by {type(error).__name__}\n"
