"""What the trail tells of acts that libraries do: a person's second factors, added and removed by themselves, and people
who are made by Django's own commands.
"""

from typing import Any

from django.dispatch import receiver

from accounts.actors import SYSTEM, Actor
from accounts.models import User, factor_changed, person_made
from accounts.second_factor import ADDED, FACTORS, MADE, REMOVED
from tenants import audit

_ACTIONS = {
    ADDED: "person.second-factor-added",
    REMOVED: "person.second-factor-removed",
    MADE: "person.recovery-codes-made",
}


@receiver(factor_changed)
def _factor_changed(person: User, act: str, factor: str, by: Actor, **_more: Any) -> None:
    data = {"factor": factor} if factor in FACTORS else {}
    audit.record_everywhere(_ACTIONS[act], person, by=by, data=data)


@receiver(person_made)
def _made_past_the_services(person: User, **_more: Any) -> None:
    audit.record("person.created", by=SYSTEM, target=person, data={"staff": person.is_staff})
