"""What Celery rings for. A task names its schema; the work is in the services."""

from celery import shared_task
from django_tenants.utils import get_tenant_model, schema_context

from mailboxes.services import tallies


@shared_task
def fold_all_tallies() -> None:
    """Ring for every customer: one that has much to fold does not hold up the others."""
    with schema_context("public"):
        schemas = list(get_tenant_model().objects.values_list("schema_name", flat=True))
    for schema in schemas:
        fold_tallies.delay(schema)


@shared_task
def fold_tallies(schema: str) -> None:
    with schema_context(schema):
        tallies.fold()
