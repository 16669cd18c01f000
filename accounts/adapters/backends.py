"""Who may sign in at all, by whatever means, and go on being signed in: asked at each sign-in and at each request."""

from ipaddress import ip_address
from typing import Any

from allauth.account.auth_backends import AuthenticationBackend as Library
from django.contrib.auth.password_validation import CommonPasswordValidator
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from accounts.adapters.visitors import address_of
from accounts.demo import in_demo
from accounts.models import User

DEMO_PASSWORD = "gatehouse-demo"  # noqa: S105  public on purpose, and good in the demo only


class AuthenticationBackend(Library):
    """allauth's, but outside the demo its people do not exist, and its password, which everybody knows, is nobody's.

    In the demo they come from this machine only, whoever the web server was bound for.
    """

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> User | None:
        public = constant_time_compare(str(credentials.get("password", "")), DEMO_PASSWORD)
        if public and not (in_demo() and _is_local(request)):
            return None
        user: User | None = super().authenticate(request, **credentials)
        return user

    def user_can_authenticate(self, user: User) -> bool:
        return user.can_sign_in()


class CommonPasswords(CommonPasswordValidator):
    """Django's list, and the demo's password, with which nobody could sign in."""

    def __init__(self) -> None:
        super().__init__()
        self.passwords = {*self.passwords, DEMO_PASSWORD}


def _is_local(request: HttpRequest | None) -> bool:
    try:
        return request is None or ip_address(address_of(request)).is_loopback
    except ValueError:
        return False
