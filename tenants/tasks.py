"""Background work of the tenants room."""

from celery import shared_task
from django_tenants.utils import schema_context

from accounts.tasks import PATIENCE
from tenants import spares


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
