"""Parts of pages that ask for themselves again are not to go empty when their page has moved on."""

from collections.abc import Callable

from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRefresh

from portal.gates.requests import GatedRequest


class WholePages:
    """Has the browser ask for the whole page where a part of it would be led elsewhere, as to the sign-in.

    htmx would follow, find nothing there that belongs into the page, and put this nothing into it. Asked for as a
    whole, the page leads to the same place, and the sign-in back to it.
    """

    def __init__(self, get_response: Callable[[GatedRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: GatedRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not request.htmx or request.htmx.history_restore_request or "Location" not in response:
            return response
        refresh = HttpResponseClientRefresh()
        refresh.cookies = response.cookies
        patch_vary_headers(refresh, ["HX-Request"])  # or Back might show it in the page's place
        return refresh
