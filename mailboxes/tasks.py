"""What Celery rings for. A task names its schema; the work is in the services."""

import logging
from uuid import UUID

from celery import shared_task
from django_tenants.utils import get_tenant_model, schema_context

from mailboxes.services import janitor, jobs, tallies
from mailboxes.work.slices import work_slice
from tenants.models import Customer

log = logging.getLogger(__name__)


@shared_task
def work_job(schema: str, job_id: str) -> None:
    """One slice of a job; PostgreSQL knows what is left."""
    if work_slice(_customer(schema), UUID(job_id)):
        jobs.ring(schema, UUID(job_id))


@shared_task
def ring_stalled_jobs() -> None:
    """What a crash or a lost bell left undone goes on."""
    with schema_context("public"):
        if rung := jobs.ring_stalled():
            log.info("rang for stalled jobs: %s", rung)


@shared_task
def fold_all_tallies() -> None:
    """Ring for every customer: one that has much to fold does not hold up the others."""
    for schema in _schemas():
        fold_tallies.delay(schema)


@shared_task
def fold_tallies(schema: str) -> None:
    with schema_context(schema):
        tallies.fold()


@shared_task
def tidy_all_stores() -> None:
    """Ring for every mailbox's folder, so that none takes a task too long."""
    for schema in _schemas():
        tidy_store.delay(schema)


@shared_task
def tidy_store(schema: str) -> None:
    customer = _customer(schema)
    with schema_context(schema):
        jobs.wipe_expired_locks()
    for folder in janitor.mailbox_folders(customer):
        tidy_mailbox.delay(schema, folder)


@shared_task
def tidy_mailbox(schema: str, folder: str, first_shard: int = 0) -> None:
    """As much as there is time for, and ring for the rest."""
    done = janitor.tidy_mailbox(_customer(schema), folder, first_shard=first_shard)
    if done.next_shard is not None:
        tidy_mailbox.delay(schema, folder, done.next_shard)


def _customer(schema: str) -> Customer:
    """Raises Customer.DoesNotExist for a task that is forged or too late: it fails loudly."""
    with schema_context("public"):
        return Customer.objects.get(schema_name=schema)


def _schemas() -> list[str]:
    with schema_context("public"):
        return list(get_tenant_model().objects.values_list("schema_name", flat=True))
