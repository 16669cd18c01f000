"""What Celery rings for: a look at the way to a mailbox, which a person has asked for."""

from uuid import UUID

from celery import shared_task
from django_tenants.utils import schema_context

from mailboxes import services
from portal.doctor import reach
from tenants.models import Customer


@shared_task
def make_reach_test(schema: str, mailbox_id: str, number: str) -> None:
    """Made once: what is killed meanwhile is not made again, and whoever waits may ask for another one."""
    with schema_context("public"):
        customer = Customer.objects.get(schema_name=schema)
    asked = services.take_reach_test(customer, UUID(mailbox_id), number)
    if asked:
        found = reach.look(asked.address, with_message=asked.with_message)
        services.finish_reach_test(customer, UUID(mailbox_id), number, found)
