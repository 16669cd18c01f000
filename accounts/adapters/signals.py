"""What follows from what the library has done."""

from typing import Any

from allauth.account.signals import password_reset
from allauth.core import context
from allauth.mfa.models import Authenticator
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from accounts.adapters import guesses
from accounts.models import User
from accounts.services.factors import rely_on_factor
from accounts.services.sessions import end_other_sessions


@receiver(password_reset)
def a_forgotten_password_ends_all_sessions(request: HttpRequest, user: User, **_more: Any) -> None:
    """Whoever is signed in may be the reason for it. The session at hand is none of theirs any more: Django ends it at
    its next request, for it knows the old password, and until then it shows that the new one is saved.
    """
    end_other_sessions(user, by=user, keep=request.session.session_key)


@receiver(password_reset)
def guesses_at_the_old_password_are_forgotten(request: HttpRequest, user: User, **_more: Any) -> None:
    """The library looks for them at addresses of its own, of which nobody has one here."""
    guesses.forget(request, user)


@receiver(post_save, sender=Authenticator)
def a_factor_is_relied_on(instance: Authenticator, created: bool, **_more: Any) -> None:
    """In the transaction that adds it: the library's own signal comes after some of them."""
    if created:
        here = context.request.session.session_key if context.request else None
        rely_on_factor(instance.user, instance, by=instance.user, keep=here)
