"""What follows from what the library has done."""

from typing import Any

from allauth.core import context
from allauth.mfa.models import Authenticator
from django.db.models.signals import post_save
from django.dispatch import receiver

from accounts.services.factors import rely_on_factor


@receiver(post_save, sender=Authenticator)
def a_factor_is_relied_on(instance: Authenticator, created: bool, **_more: Any) -> None:
    """In the transaction that adds it: the library's own signal comes after some of them."""
    if created:
        here = context.request.session.session_key if context.request else None
        rely_on_factor(instance.user, instance, by=instance.user, keep=here)
