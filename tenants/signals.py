"""What the trail tells of acts that libraries do: a person's second factors, added and removed by themselves, and people
who are made by Django's own commands.
"""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from django.db import transaction
from django.dispatch import receiver

from accounts.actors import SYSTEM
from accounts.models import User, person_made
from accounts.second_factor import FACTORS
from tenants import audit


@receiver(authenticator_added)
def _added(user: User, authenticator: Authenticator, **_more: Any) -> None:
    _note("person.second-factor-added", user, authenticator)


@receiver(authenticator_removed)
def _removed(user: User, authenticator: Authenticator, **_more: Any) -> None:
    _note("person.second-factor-removed", user, authenticator)


@receiver(authenticator_reset)
@transaction.atomic
def _made_anew(user: User, **_more: Any) -> None:
    """Of recovery codes alone does the library say this."""
    audit.record_everywhere("person.recovery-codes-made", user, by=user)


@receiver(person_made)
def _made_past_the_services(person: User, **_more: Any) -> None:
    audit.record("person.created", by=SYSTEM, target=person, data={"staff": person.is_staff})


@transaction.atomic
def _note(action: str, user: User, authenticator: Authenticator) -> None:
    """Recovery codes come with the first factor and go with the last: these say it."""
    if authenticator.type in FACTORS:
        audit.record_everywhere(action, user, by=user, data={"factor": authenticator.type})
