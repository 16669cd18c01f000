"""Which pages may fetch ours: none but our own. A resource isolation policy, by the headers of Fetch Metadata (W3C)."""

from collections.abc import Callable
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import translation


class ResourceIsolation:
    """Refuses what browsers fetch for a page of another host: a picture, a frame, a script's request, a page ahead of time.

    A neighbour below one domain with us gets the session's cookie sent along, SameSite or not. It can't read the answer,
    but somebody on the wire with whom it works reads its length, compressed or not, and so whether a list has anything
    of what a `?q=` asks for; by the thousand nobody sees. A link, a form and a typed address open a page that is seen,
    if it is not given up before (docs/threat-model.md).

    A file opens none: the page that asked stays, and asks on. So another host's page gets one only if somebody pressed
    something there. That is said of a whole chain of redirects, and those between our own hosts keep it.

    Nor does a redirect to another of our hosts, where that page allows its forms only some (`form-action`): it stays, and
    has learnt where the person would have been led. Unless somebody pressed something, a page of ours leads on instead.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        said = request.headers
        # Programs say nothing of it.
        if said.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
            return self.get_response(request)
        opens = said.get("Sec-Fetch-Mode") == "navigate" and said.get("Sec-Fetch-Dest") == "document"
        if not opens or "Sec-Purpose" in said:
            return _refusal()
        response = self.get_response(request)
        if said.get("Sec-Fetch-User") == "?1":
            return response
        if _leads_elsewhere(request, response):
            return _onward(request, response)
        if _is_file(response):
            refusal = _refusal()
            # Unsent it is closed all the same, or it would keep its place among files (portal/gates/fairness.py).
            refusal._resource_closers += response._resource_closers  # type: ignore[attr-defined]  # missing in the stubs
            return refusal
        return response


def _is_file(response: HttpResponseBase) -> bool:
    return response.get("Content-Disposition", "").lower().startswith("attachment")


def _leads_elsewhere(request: HttpRequest, response: HttpResponseBase) -> bool:
    return urlsplit(response.get("Location", "")).netloc not in ("", request.get_host())


def _onward(request: HttpRequest, response: HttpResponseBase) -> HttpResponse:
    url = response["Location"]
    # It may come from a gate that asks before anybody knows the language.
    language = getattr(request, "LANGUAGE_CODE", None) or translation.get_language_from_request(request)
    with translation.override(language):
        page = render(request, "frame/onward.html", {"url": url})
    page["Refresh"] = f"0; url={url}"
    page["Cache-Control"] = "no-store"
    page.cookies = response.cookies
    return page


def _refusal() -> HttpResponse:
    return HttpResponse("Not for another site's page", status=403, content_type="text/plain; charset=utf-8")
