"""A session that goes on although the password is another one, or hashed in another way."""

from typing import cast

from allauth.usersessions.models import UserSession
from django.contrib.auth import HASH_SESSION_KEY
from django.db import transaction
from django.http import HttpRequest

from accounts.adapters.session_store import SessionStore
from accounts.models import User
from accounts.services.factors import hold_person


def renew_session(request: HttpRequest, user: User) -> None:
    """Under a new key, with the line by which it is listed, and ended from another one. What was ended meanwhile, with
    all sessions of the person, stays ended: a new key would bring it back.
    """
    with transaction.atomic():
        hold_person(user)
        before = request.session.session_key
        if before is None or not request.session.exists(before):
            return
        cast(SessionStore, request.session).renew()
        request.session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        UserSession.objects.filter(session_key=before).update(session_key=request.session.session_key)
