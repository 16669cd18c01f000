"""What Celery rings for. A task names its schema; the work is in the services."""

import logging
from uuid import UUID

from celery import shared_task
from django.db.models import Exists, OuterRef
from django_tenants.utils import schema_context, tenant_context

from mailboxes.services import delivery_log, janitor, jobs, tallies
from mailboxes.services.keyring import publish_names
from mailboxes.work.slices import work_slice
from tenants.figures import keeping
from tenants.models import Customer, DirectoryEntry

log = logging.getLogger(__name__)

CUSTOMERS_AT_ONCE = 200  # for which one task rings


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
    """Ring for each customer that has something to fold, or mailboxes without figures: much of one does not hold up the others."""
    with schema_context("public"):
        changed = set(tallies.changed_schemas())
        unknown = set(keeping.schemas_without_figures())
        known = Customer.objects.filter(schema_name__in=changed | unknown).order_by("schema_name")
        schemas = list(known.values_list("schema_name", flat=True))
    for schema in schemas:
        if schema in unknown:
            fold_tallies.delay(schema, wholly=True)
        else:
            fold_tallies.delay(schema)


@shared_task
def fold_tallies(schema: str, wholly: bool = False) -> None:
    """Of a customer; `wholly` where not all that is known in `public` is sure to be right."""
    customer = _customer(schema)
    with tenant_context(customer):
        tallies.fold(customer, wholly=wholly)


@shared_task
def tidy_all_stores(after: str = "") -> None:
    """Ring for some customers that have, or had, a mailbox, and for the rest; so no task takes too long."""
    if not after:
        tell_of_nobodys_folders.delay()
    with schema_context("public"):
        known = DirectoryEntry.objects.filter(customer=OuterRef("pk"))
        some = Customer.objects.filter(Exists(known), schema_name__gt=after).order_by("schema_name")
        schemas = list(some.values_list("schema_name", flat=True)[:CUSTOMERS_AT_ONCE])
    for schema in schemas:
        tidy_store.delay(schema)
    if len(schemas) == CUSTOMERS_AT_ONCE:
        tidy_all_stores.delay(schemas[-1])


@shared_task
def tell_of_nobodys_folders() -> None:
    """On its own: a store that can't be read keeps no customer from being tidied up after, nor locks from being wiped."""
    janitor.tell_of_nobodys_folders()


@shared_task
def tidy_store(schema: str) -> None:
    customer = _customer(schema)
    with tenant_context(customer):
        jobs.wipe_expired_locks()
        tallies.fold(customer, wholly=True)  # what `fold_all_tallies` has not seen
        publish_names(customer)
    clear_delivery_log(schema)
    for folder in janitor.mailbox_folders(customer):
        tidy_mailbox.delay(schema, folder)


@shared_task
def clear_delivery_log(schema: str) -> None:
    """Lines that are no longer kept, as many as there is time for, and ring for the rest."""
    with tenant_context(_customer(schema)):
        if delivery_log.clear():
            clear_delivery_log.delay(schema)


@shared_task
def tidy_mailbox(schema: str, folder: str, first_shard: int = 0) -> None:
    """As much as there is time for, and ring for the rest."""
    done = janitor.tidy_mailbox(_customer(schema), folder, first_shard=first_shard)
    if done.next_shard is not None:
        tidy_mailbox.delay(schema, folder, done.next_shard)


def _customer(schema: str) -> Customer:
    """Raises Customer.DoesNotExist for a task that is forged or too late: it fails loudly."""
    with schema_context("public"):
        return Customer.objects.select_related("provider").get(schema_name=schema)
