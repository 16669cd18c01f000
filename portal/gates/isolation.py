"""Which pages may fetch ours: none but our own. A resource isolation policy, by the headers of Fetch Metadata (W3C)."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase


class ResourceIsolation:
    """Refuses what browsers fetch for a page of another host: a picture, a frame, a script's request, a page ahead of time.

    A neighbour below one domain with us gets the session's cookie sent along, SameSite or not. It can't read the answer,
    but somebody on the wire with whom it works reads its length, compressed or not, and so whether a list has anything
    of what a `?q=` asks for; by the thousand nobody sees. A link, a form and a typed address open a page that is seen.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        said = request.headers
        foreign = said.get("Sec-Fetch-Site", "none") not in (
            "none",
            "same-origin",
        )  # programs say nothing of it
        opens = said.get("Sec-Fetch-Mode") == "navigate" and said.get("Sec-Fetch-Dest") == "document"
        if foreign and (not opens or "Sec-Purpose" in said):
            return HttpResponse("Not for another site's page", status=403, content_type="text/plain")
        return self.get_response(request)
