"""What may come with a request: a form of modest size, whole, without files and NUL. Judged before anything reads it."""

from collections.abc import Callable
from typing import Any, NoReturn

from django.conf import settings
from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import translation


class ModestBodies:
    """Refuses by its header what is too large (413) or does not say how large it is (411), unread.

    What it lets through it has read whole: half a form, whose sender was cut off, is no form (400). Nor is what has a
    NUL in it, which no browser sends and no text of PostgreSQL can hold.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or ""
        chunked = "HTTP_TRANSFER_ENCODING" in request.META
        if is_refused(length, chunked=chunked):
            return _refuse(request, 411 if chunked else 413)
        if length and int(length):
            try:
                whole = len(request.body) == int(length)
            except UnreadablePostError:
                whole = False
            if not whole:
                return HttpResponseBadRequest("Incomplete request", content_type="text/plain")
        if _has_nul(request):
            raise BadRequest("a NUL in path, query, cookies or form")
        return self.get_response(request)


class NoFiles(FileUploadHandler):
    """No page takes files. One that ever does puts handlers of its own into `request.upload_handlers`."""

    def new_file(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise MultiPartParserError("a file, and no page takes any")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> NoReturn:
        raise NotImplementedError

    def file_complete(self, file_size: int) -> None:
        """Never reached."""


def is_refused(length: str, *, chunked: bool) -> bool:
    """Whether a body goes unread: longer than `DATA_UPLOAD_MAX_MEMORY_SIZE`, or of a length that nobody knows."""
    if chunked:
        return True
    return bool(length) and not (length.isdecimal() and int(length) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def _has_nul(request: HttpRequest) -> bool:
    """As the octet itself, or written as forms write it; a person's own "%00" comes as %2500."""
    encoded = f"{request.path_info}?{request.META.get('QUERY_STRING', '')}".encode()
    body = request.body
    if request.content_type == "application/x-www-form-urlencoded":
        encoded += body
    cookies = "".join(request.COOKIES.values())  # where it may be written as an octal number
    return b"%00" in encoded or b"\0" in encoded or b"\0" in body or "\0" in cookies


def _refuse(request: HttpRequest, status: int) -> HttpResponse:
    with translation.override(translation.get_language_from_request(request)):
        return HttpResponse(render_to_string("413.html"), status=status)
