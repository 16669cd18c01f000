"""Mail is sent by workers: nobody's sign-in waits for a mail server, or fails with it."""

from celery import shared_task

from accounts import notices, outbox, services  # noqa: F401 - which write the mails


@shared_task(ignore_result=True)
def send_mails() -> None:
    """Rung for each mail, and now and then by beat. Which mails stands in PostgreSQL."""
    outbox.send_due()
