"""Background work of the tenants room."""

from celery import shared_task
from django.utils import timezone

from tenants import spares
from tenants.figures import keeping
from tenants.identity import domains


@shared_task(ignore_result=True)
def refill_spares() -> None:
    """Keep spare schemas ready. Rung after a customer was created, and now and then by beat."""
    spares.refill()


@shared_task(ignore_result=True)
def recheck_domains() -> None:
    """Ring for each proof, to see whether its record is still there. Rung once a day by beat."""
    for proof_id in domains.all_proofs():
        recheck_domain.delay(proof_id)


@shared_task(ignore_result=True)
def recheck_domain(proof_id: int) -> None:
    domains.recheck(proof_id)


@shared_task(ignore_result=True)
def clear_old_figures() -> None:
    """Days of mailboxes and customers that are too old, some at a time; rings for the rest. Rung once a day by beat."""
    if keeping.clear_old(timezone.now().date()) >= keeping.CLEARED_AT_ONCE:
        clear_old_figures.delay()
