"""One session for all hosts, which nobody else's website can put into a browser.

The session's cookie goes to every host below the base domain, so whoever has any host beside ours under the same domain
can set one of that name, too ("cookie tossing"): their own session, over the one that is open, and what is typed then
is typed for them. So each host gives its browser a companion: a cookie that browsers take from this very host alone
(`__Host-`), worth something with its own session only. A session that comes without it is nobody's here.

A host on which nobody has signed in yet gets its companion from the one where somebody did: it sends the browser there
with a nonce, that host vouches for the session if its own companion came with it, and back here the word counts only in
the browser that holds the nonce. Somebody who vouches for a session of their own can't put it into another browser.
"""

import hashlib
import logging
from http.cookies import Morsel
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import split_domain_port
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.crypto import constant_time_compare, get_random_string, salted_hmac

from portal.gates.requests import GatedRequest

log = logging.getLogger(__name__)

VOUCH, ARRIVE = "/accounts/vouch/", "/accounts/arrive/"
SIGNED_IN_AT = "signed_in_at"
HANDOVER_SECONDS = 60
MAX_PATH = 2000  # cookies end at 4096
_PREFIX = "__Host-" if settings.SECURE_COOKIES else ""  # browsers take that from HTTPS only
COMPANION, AWAITED = f"{_PREFIX}companion", f"{_PREFIX}awaited"


def companion_of(session_key: str, secret: str | None = None) -> str:
    """What has to come with this session. `secret` is an earlier SECRET_KEY."""
    return salted_hmac("gatehouse companion", session_key, secret=secret, algorithm="sha256").hexdigest()


class CompanionSessions(SessionMiddleware):
    """Django's, for sessions that came with their companion; two sessions in one request are refused."""

    def process_request(self, request: GatedRequest) -> HttpResponse | None:  # type: ignore[override]  # it may answer
        super().process_request(request)
        if _sessions_sent(request) > 1:
            return _refuse_both(request)
        key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        request.session_came_as = key if key and _came_along(request, key) else None
        if request.path_info == VOUCH:
            return _vouch(request)
        if request.path_info == ARRIVE:
            return _arrive(request, key)
        if not key or request.session_came_as:
            return None
        answer = _ask_for_a_word(request) if _may_be_led_away(request) and _is_signed_in(request) else None
        _forget(request, self.SessionStore)
        return answer

    def process_response(self, request: GatedRequest, response: Any) -> Any:  # type: ignore[override]  # as above
        session = request.session
        is_new = session.session_key is None or session.session_key != request.session_came_as
        if session.modified and is_new and not session.is_empty():
            session[SIGNED_IN_AT] = request.get_host()
        response = super().process_response(request, response)
        sent = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if sent is not None and sent.value:
            _set(response, COMPANION, companion_of(sent.value))
        elif sent is not None:
            _delete(response, COMPANION)
        return response


def _came_along(request: HttpRequest, key: str) -> bool:
    came = request.COOKIES.get(COMPANION, "")
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(constant_time_compare(came, companion_of(key, secret)) for secret in secrets)


def _is_signed_in(request: HttpRequest) -> bool:
    return SESSION_KEY in request.session


def _forget(request: GatedRequest, store: Any) -> None:
    # Out of the cookies too: an empty session would have it deleted, and on the other hosts it may be right.
    request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
    request.session_came_as = None
    request.session = store()


# --- From host to host ---
def _may_be_led_away(request: HttpRequest) -> bool:
    is_part = "HX-Request" in request.headers  # which gets the whole page asked for, and that is led
    return (
        request.method in ("GET", "HEAD")
        and not is_part
        and not request.path_info.startswith(reverse("account_login"))  # the way out when nobody vouches
    )


def _ask_for_a_word(request: HttpRequest) -> HttpResponse | None:
    here, port = request.get_host(), split_domain_port(request.get_host())[1]
    there = request.session.get(SIGNED_IN_AT) or settings.BASE_DOMAIN + (f":{port}" if port else "")
    if here == there:
        return None
    nonce = get_random_string(32)
    question = _sign("question", here, _digest(nonce))
    response = HttpResponseRedirect(f"{request.scheme}://{there}{VOUCH}?{urlencode({'for': question})}")
    path = request.get_full_path()  # may hold a secret, so it travels in no address
    _set(response, AWAITED, _sign("awaited", nonce, path if len(path) < MAX_PATH else "/"))
    return response


def _vouch(request: GatedRequest) -> HttpResponse:
    try:
        host, nonce_digest = _unsign("question", request.GET.get("for", ""))
    except signing.BadSignature:
        return HttpResponseRedirect("/")
    word = ""
    if request.session_came_as and _is_signed_in(request):
        word = "?" + urlencode({"word": _sign("word", host, nonce_digest, _digest(request.session_came_as))})
    return HttpResponseRedirect(f"{request.scheme}://{host}{ARRIVE}{word}")


def _arrive(request: GatedRequest, key: str | None) -> HttpResponse:
    """Back at the page that was asked for; without a word that counts, at the sign-in, which leads there afterwards."""
    path = "/"
    try:
        nonce, path = _unsign("awaited", request.COOKIES.get(AWAITED, ""))
        host, nonce_digest, key_digest = _unsign("word", request.GET.get("word", ""))
        counts = (host, nonce_digest, key_digest) == (request.get_host(), _digest(nonce), _digest(key or ""))
    except signing.BadSignature:
        counts = False
    if counts and key:
        response = HttpResponseRedirect(path)
        _set(response, COMPANION, companion_of(key))
    else:
        response = HttpResponseRedirect(f"{reverse('account_login')}?{urlencode({'next': path})}")
        request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
    _delete(response, AWAITED)
    return response


def _sign(what: str, *parts: str) -> str:
    return signing.dumps(parts, salt=f"gatehouse companion {what}")


def _unsign(what: str, text: str) -> list[str]:
    """Raises signing.BadSignature, also for what is too old."""
    parts: list[str] = signing.loads(text, salt=f"gatehouse companion {what}", max_age=HANDOVER_SECONDS)
    return parts


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# --- Cookies ---
def _set(response: HttpResponse, name: str, value: str) -> None:
    response.set_cookie(name, value, secure=settings.SECURE_COOKIES, httponly=True, samesite="Lax")


def _delete(response: HttpResponse, name: str) -> None:
    response.delete_cookie(name, samesite="Lax")


def _sessions_sent(request: HttpRequest) -> int:
    pairs = request.META.get("HTTP_COOKIE", "").split(";")
    return sum(pair.partition("=")[0].strip() == settings.SESSION_COOKIE_NAME for pair in pairs)


def _refuse_both(request: GatedRequest) -> HttpResponse:
    """Says so, and deletes those that another website can have set: for a domain above ours, or for a part of our paths."""
    log.warning(
        "two session cookies came to %s at once: another website may have set one", request.get_host()
    )
    _forget(request, type(request.session))
    with translation.override(translation.get_language_from_request(request)):
        response = HttpResponse(render_to_string("signin/two_sessions.html"), status=400)
    for number, (domain, path) in enumerate(_where_others_can_set(request.path_info)):
        cookie: Morsel[str] = Morsel()
        cookie.set(settings.SESSION_COOKIE_NAME, "", "")
        cookie["domain"], cookie["path"], cookie["max-age"] = domain, path, "0"
        # There is room for one cookie of each name, so they stand under keys of their own.
        dict.__setitem__(response.cookies, f"tossed {number}", cookie)
    return response


def _where_others_can_set(path: str) -> list[tuple[str, str]]:
    """Domains and paths of session cookies that this request may have brought along, but for our own."""
    labels, parts = settings.BASE_DOMAIN.split("."), [part for part in path.split("/") if part][:4]
    domains = ["", *(".".join(labels[at:]) for at in range(len(labels) - 1))]
    folders = ["/" + "/".join(parts[: at + 1]) for at in range(len(parts))]
    paths = ["/", *folders, *(f"{folder}/" for folder in folders)]
    return [
        (domain, path)
        for domain in domains
        for path in paths
        if (domain, path) != (settings.BASE_DOMAIN, "/")
    ]
