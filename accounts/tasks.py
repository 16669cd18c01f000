"""Mail is sent by workers: nobody's sign-in waits for a mail server, or fails with it."""

import logging
from smtplib import SMTPException
from typing import Any

from celery import shared_task
from django.utils.dateparse import parse_datetime
from django_tenants.utils import schema_context

from accounts import mails
from accounts.devices import describe
from accounts.models import User

log = logging.getLogger(__name__)

# A mail server that is away for half an hour or more costs no mail. No pause comes near the broker's visibility
# time-out, after which a waiting task would be delivered a second time.
PATIENCE: dict[str, Any] = {
    "autoretry_for": (OSError, SMTPException),
    "retry_backoff": 5,
    "retry_backoff_max": 60,
    "max_retries": 60,
}


@shared_task(ignore_result=True, **PATIENCE)
def mail_notice(
    template: str, user_id: int, at: str, ip: str, user_agent: str, details: dict[str, str]
) -> None:
    """Tell a person what happened with their account, when and from where."""
    with schema_context("public"):
        user = User.objects.filter(pk=user_id, is_active=True).first()
        if user is None:  # gone, or switched off meanwhile
            return
        with mails.speaking_to(user):
            device = describe(user_agent)
        facts = {**details, "timestamp": parse_datetime(at), "ip": ip, "user_agent": device}
        mails.send(user, template, facts)


@shared_task(ignore_result=True, **PATIENCE)
def mail_reset_link(email: str) -> None:
    """Send a link to who forgot the password, if it is somebody's address. The link is made here: no task carries it."""
    from accounts.services import forgotten  # noqa: PLC0415 - which rings for this task

    with schema_context("public"):
        forgotten.mail_reset_link(email)
