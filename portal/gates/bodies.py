"""What may come with a request: a form of modest size, whole, without files but where one is asked for, and text that is one.
Judged before anything reads it.
"""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn
from unicodedata import combining, normalize

from django.conf import settings
from django.core.exceptions import BadRequest
from django.core.files.uploadhandler import FileUploadHandler, MemoryFileUploadHandler
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.http import parse_header_parameters

from accounts.names import visible

# Of marks upon one letter; Unicode's own bound is 30 (UAX #15, 13), and the longest that people type stays below. Bringing
# text into a normal form takes the square of it, with all threads waiting: some 100 KB of marks would stop a process.
MARKS_MAX = 100
FIRST_MARK = "\u0300"
# A parameter that names its letters has one (RFC 2231), and Python would look them up. Browsers write none.
STAR = "*"


class Request(WSGIRequest):
    """Django's has Python look up what the form's header says of its letters, before any gate is asked: what Python can't
    make out would be an error of ours, and each name that it does not know stays in the memory of the process. Here it
    is left to ModestBodies, which takes no letters but UTF-8.
    """

    def _set_content_type_params(self, meta: Any) -> None:
        said = meta.get("CONTENT_TYPE", "")
        try:
            if STAR in said:
                raise ValueError
            self.content_type, self.content_params = parse_header_parameters(said)
        except ValueError:
            self.content_type, self.content_params = "", {"charset": "none that can be read"}


class ModestBodies:
    """Refuses by its header what is too large (413) or does not say how large it is (411), unread.

    What it lets through it has read whole: half a form, whose sender was cut off, is no form (400). Nor is what has a
    NUL in it, which no browser sends and no text of PostgreSQL can hold, or so many marks upon one letter as no language writes.
    Not even if they are stored, from before: what a text costs does not depend on who brings it.
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
                return HttpResponseBadRequest("Incomplete request", content_type="text/plain; charset=utf-8")
        if request.path_info in settings.UPLOADS_AT:
            request.upload_handlers = [MemoryFileUploadHandler(request)]
        # Browsers say it of no form, or UTF-8. Python has codecs that fail, unpack, or take the square of the length.
        if (request.content_params or {}).get("charset", "utf-8").lower() not in ("utf-8", "utf8"):
            raise BadRequest("a form in other letters than UTF-8")
        if any(STAR.encode() in head for head in _heads_of_parts(request)):
            raise BadRequest("a part of a form in letters of its own")
        for text in _texts(request):
            if "\0" in text:
                raise BadRequest("a NUL in path, query, cookies or form")
            if _is_slow_to_normalize(text):
                raise BadRequest("more marks upon a letter than any language writes")
        return self.get_response(request)


class NoFiles(FileUploadHandler):
    """No path takes files but those of settings.UPLOADS_AT, which keep them in memory for the length of the request."""

    def new_file(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise MultiPartParserError("a file, and this page takes none")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> NoReturn:
        raise NotImplementedError

    def file_complete(self, file_size: int) -> None:
        """Never reached."""


def is_refused(length: str, *, chunked: bool) -> bool:
    """Whether a body goes unread: longer than `DATA_UPLOAD_MAX_MEMORY_SIZE`, or of a length that nobody knows."""
    if chunked:
        return True
    return bool(length) and not (length.isdecimal() and int(length) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def _heads_of_parts(request: HttpRequest) -> Iterator[bytes]:
    """What stands above each part of a form in parts (RFC 7578)."""
    boundary = (request.content_params or {}).get("boundary")
    if request.content_type == "multipart/form-data" and boundary:
        for part in request.body.split(b"--" + boundary.encode()):
            yield part.partition(b"\r\n\r\n")[0]


def _texts(request: HttpRequest) -> Iterator[str]:
    """All that anything here reads, as it reads it: however a form is sent, and whatever it says of its letters."""
    yield request.path_info
    yield from request.COOKIES.values()  # where a NUL may be written as an octal number
    for fields in (request.GET, request.POST):
        for name, values in fields.lists():
            yield name
            yield from values


def _is_slow_to_normalize(text: str) -> bool:
    if len(text) <= MARKS_MAX or text.isascii():
        return False
    run = 0
    # As it is judged later: without what nobody sees, which would stand between the marks here, and there no more.
    for char in visible(text):
        # Some marks are none of their own, but stand for two, or for another that is wider.
        is_mark = char >= FIRST_MARK and combining(normalize("NFKD", char)[0])
        run = run + 1 if is_mark else 0
        if run > MARKS_MAX:
            return True
    return False


def _refuse(request: HttpRequest, status: int) -> HttpResponse:
    with translation.override(translation.get_language_from_request(request)):
        return HttpResponse(render_to_string("413.html"), status=status)
