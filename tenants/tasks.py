"""Background work of the tenants room."""

from celery import shared_task

from tenants import spares
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
