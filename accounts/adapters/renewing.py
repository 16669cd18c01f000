"""A session that goes on although the password is another one, or hashed in another way."""

from allauth.usersessions.models import UserSession
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest

from accounts.models import User


def renew_session(request: HttpRequest, user: User) -> None:
    """Under a new key, with the line by which it is listed, and ended from another one."""
    before = request.session.session_key
    update_session_auth_hash(request, user)
    UserSession.objects.filter(session_key=before).update(session_key=request.session.session_key)
