"""Each page in the person's own language, and by their clock."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone, translation

from accounts.models import User
from accounts.zones import zone_of


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
