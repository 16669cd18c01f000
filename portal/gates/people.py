"""What holds for every page: the person's own language and clock, nothing kept of it, and nobody let in uncounted."""

import logging
from collections.abc import Callable
from datetime import timedelta

from allauth.usersessions.models import UserSession
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone, translation
from django.utils.cache import patch_cache_control
from redis import RedisError

from accounts.adapters.visitors import address_of, user_agent_of
from accounts.models import User
from accounts.zones import zone_of

log = logging.getLogger(__name__)

RETRY_SECONDS = 30
SEEN_SECONDS = 60


class PersonLanguage:
    """After sign-in the chosen language and time zone count, on every host.

    Without a choice the language stays the browser's, and times are UTC.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user = request.user
        if not isinstance(user, User):
            return self.get_response(request)
        if user.language:
            translation.activate(user.language)
            request.LANGUAGE_CODE = user.language
        # The next request on this thread may be somebody else's.
        with timezone.override(zone_of(user)):
            return self.get_response(request)


class NothingKept:
    """What somebody signed in was shown is kept by no browser: Back after the sign-out would show it to the next."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        was_in = request.user.is_authenticated
        response = self.get_response(request)
        is_in = request.user.is_authenticated
        if was_in or is_in:
            patch_cache_control(response, no_store=True, private=True)
        if was_in and not is_in:
            response["Clear-Site-Data"] = '"cache"'
        return response


class SessionsSeen:
    """Notes when, from where and with what a session was last used: once a minute, for pages that watch ask all the
    time, and whenever address or browser are others than before.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        key = request.session.session_key
        if key and request.user.is_authenticated:
            just_now = timezone.now() - timedelta(seconds=SEEN_SECONDS)
            is_noted = UserSession.objects.filter(
                session_key=key,
                user_id=request.user.pk,
                last_seen_at__gt=just_now,
                ip=address_of(request),
                user_agent=user_agent_of(request),
            )
            if not is_noted.exists():
                UserSession.objects.create_from_request(request)
        return self.get_response(request)


class UncountedLimits:
    """Without Redis nobody signs in: limits that can't be counted would be none.

    Whoever tries gets a page that says so. Who is signed in already goes on, wherever no limit is asked.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, RedisError):
            return None
        log.error("Redis is away, so nobody signs in: %s: %s", type(exception).__name__, exception)
        page = render(request, "503.html", status=503)
        page["Retry-After"] = str(RETRY_SECONDS)
        return page
