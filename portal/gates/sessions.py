"""What a session leaves, nothing of its pages in the browser and a line about when it was last used, and when it is over."""

from collections.abc import Callable
from datetime import timedelta

from allauth.account.adapter import get_adapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Exists, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import patch_cache_control

from accounts.adapters.visitors import address_of, user_agent_of

SEEN_SECONDS = 60


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


class SessionStands:
    """A session that has ended since it was read, for a form may have waited in line (FairPlaces), is nobody's from here
    on. Asked of each request; what SessionsSeen wants to know of the same session is asked with it, to ask once.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        key = request.session.session_key
        if key and request.user.is_authenticated:
            stands = Session.objects.filter(session_key=key).annotate(is_noted=Exists(_notes_of(request)))
            is_noted = stands.values_list("is_noted", flat=True).first()
            if is_noted is None:
                _forget(request)
            else:
                request.session_is_noted = is_noted  # type: ignore[attr-defined]  # for the gate below alone
        return self.get_response(request)


class SessionsSeen:
    """Notes when, from where and with what a session was last used: once a minute, for pages that watch ask all the
    time, and whenever address or browser are others than before.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not getattr(request, "session_is_noted", True):
            UserSession.objects.create_from_request(request)
        return self.get_response(request)


def _notes_of(request: HttpRequest) -> QuerySet[UserSession]:
    """That of this session, if it says what there is to say already."""
    just_now = timezone.now() - timedelta(seconds=SEEN_SECONDS)
    return UserSession.objects.filter(
        session_key=request.session.session_key,
        user_id=request.user.pk,
        last_seen_at__gt=just_now,
        ip=address_of(request),
        user_agent=user_agent_of(request),
    )


def _forget(request: HttpRequest) -> None:
    get_adapter(request).logout(request)
    # Or the browser would be told to: it may have the session's next key by now, from who chose another password there.
    request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
