"""Who is there once more, of those whom allauth would not ask: they have neither password nor second factor here."""

import time
from typing import Any

from allauth.account import app_settings
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from django.http import HttpRequest


def is_the_organizations(user: Any) -> bool:
    """Whether their organization is the only one that can tell that it is them."""
    return bool(user.is_authenticated) and not get_reauthentication_flows(user)


def has_just_come(request: HttpRequest) -> bool:
    """Whether they have been signed in by their organization so lately that it counts as confirmed."""
    came = [
        record["at"]
        for record in get_authentication_records(request, request.user)
        if record["method"] == "socialaccount"
    ]
    return bool(came) and time.time() - came[-1] < app_settings.REAUTHENTICATION_TIMEOUT
