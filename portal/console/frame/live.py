"""The parts of pages that ask for themselves again, until there is nothing more to wait for."""

from typing import Any
from zlib import crc32

from django.http import HttpResponse
from django.shortcuts import render

from portal.gates.hosts import ConsoleRequest


def asks_for_a_part(request: ConsoleRequest) -> bool:
    """Whether it is such a part that asks. Who goes back in the browser gets the whole page."""
    return bool(request.htmx) and not request.htmx.history_restore_request


def fingerprint(*shown: Any) -> str:
    """Short text that differs when anything differs that a part shows. The part brings it back as `seen`."""
    return f"{crc32(repr(shown).encode()):08x}"


def part(request: ConsoleRequest, template: str, context: dict[str, Any], *, seen: str) -> HttpResponse:
    """The part anew, or word that nothing is new.

    Then the page is left alone: a screen reader does not repeat it every few seconds, and nobody loses what they are
    typing or have marked there.
    """
    if request.GET.get("seen") == seen:
        return HttpResponse(status=204)
    return render(request, template, context)
