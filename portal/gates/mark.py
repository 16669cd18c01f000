"""`/favicon.ico`, for who asks before any page has said where our mark lies: programs, bookmarks, a file's own tab."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.templatetags.static import static

PATH = "/favicon.ico"
KEPT = "max-age=86400"  # seconds: the file's own name changes with what is in it


class Mark:
    """Leads to the mark that pages name, on each host of ours alike, without the database."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info != PATH or request.method not in ("GET", "HEAD"):
            return self.get_response(request)
        return HttpResponseRedirect(static("portal/icon.svg"), headers={"Cache-Control": KEPT})
