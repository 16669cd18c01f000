"""Mail is sent by workers, so that nobody's sign-in waits for a mail server or fails with it; and what is swept away."""

from celery import shared_task

from accounts import services
from accounts.mails import outbox


@shared_task(ignore_result=True)
def send_mails() -> None:
    """Rung for after each act that writes mails, and now and then by beat. Which mails stands in PostgreSQL."""
    outbox.send_due()


@shared_task(ignore_result=True)
def clear_expired_sessions() -> None:
    """What browsers left behind: each row of a session that has ended by itself."""
    services.clear_expired_sessions()
