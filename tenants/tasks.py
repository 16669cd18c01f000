"""Background work of the tenants room."""

from smtplib import SMTPException
from typing import Any

from celery import shared_task
from django_tenants.utils import schema_context

from tenants import spares

# A mail server that is away for half an hour or more costs no mail. No pause comes near the broker's visibility
# time-out, after which a waiting task would be delivered a second time.
PATIENCE: dict[str, Any] = {
    "autoretry_for": (OSError, SMTPException),
    "retry_backoff": 5,
    "retry_backoff_max": 60,
    "max_retries": 60,
}


@shared_task(ignore_result=True)
def refill_spares() -> None:
    """Keep spare schemas ready. Rung after a customer was created, and now and then by beat."""
    spares.refill()


@shared_task(ignore_result=True, **PATIENCE)
def mail_staff_notice(event_id: int) -> None:
    """Tell a person what the trail says was done to their account. Who forges this task has a true mail sent again."""
    from tenants import staff_notices  # noqa: PLC0415 - which rings for this task

    with schema_context("public"):
        staff_notices.send(event_id)
