"""Mail is sent by workers: nobody's sign-in waits for a mail server, or fails with it."""

from celery import shared_task

from accounts import notices, outbox
from accounts.models import PendingMail
from accounts.services import mail_reset_link


@shared_task(ignore_result=True)
def send_mails() -> None:
    """Rung for each mail, and now and then by beat. Which mails stands in PostgreSQL."""
    outbox.send_due(_send)


def _send(mail: PendingMail) -> None:
    if mail.kind == outbox.RESET_LINK:
        mail_reset_link(mail.email)
    else:
        notices.send(mail)
