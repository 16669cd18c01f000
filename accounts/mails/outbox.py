"""Mails that are still to be sent: rows in PostgreSQL, written with the act that they tell of.

Redis only rings for them, without saying for which: so nobody who can write there chooses what is mailed, or to whom,
and a bell that is lost costs no mail, for beat rings again.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from importlib import import_module
from smtplib import SMTPDataError, SMTPRecipientsRefused, SMTPSenderRefused

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django_tenants.utils import schema_context

from accounts import bell
from accounts.mails.writing import Unmailable
from accounts.models import PendingMail

log = logging.getLogger(__name__)

TASK = "accounts.tasks.send_mails"
# What a mail server may take to answer, several times over: who claims a mail has it to themselves for so long.
FIRST_PAUSE, LONGEST_PAUSE = 60, 600  # seconds
LIFE = timedelta(hours=4)  # a mail server may be away so long
ROUND_SECONDS = 30.0
# Nothing is wrong with the mail server: it does not want this mail.
OF_THIS_MAIL = (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError)


def put(mail: PendingMail) -> None:
    """Send it after the caller's transaction; without Redis somewhat later."""
    mail.save(force_insert=True)
    bell.ring_after_commit(TASK)


def send_due() -> int:
    """Send what is due, for ROUND_SECONDS at most; returns how many were sent.

    A mail that no server takes is tried again after a pause that grows, and given up after LIFE; one to an address for
    which none can be made is given up at once. It may come twice when a worker dies right after sending it. A row has
    one recipient: whoever else stood in it would get it again each time, or never.
    """
    sent, end = 0, time.monotonic() + ROUND_SECONDS
    with schema_context("public"):
        while time.monotonic() < end and (mail := _claim()):
            try:
                writers()[mail.kind](mail)
            except Exception as error:  # whatever one mail suffers from, others are still wanted
                _note_failure(mail, error)
                if isinstance(error, OSError) and not isinstance(error, OF_THIS_MAIL):
                    break  # the server is away, and each of the others would wait for it as long
            else:
                mail.delete()
                sent += 1
    return sent


@cache
def writers() -> dict[str, Callable[[PendingMail], None]]:
    """Who writes and sends a mail of which kind: a closed set, the WRITERS of the modules that settings.MAIL_WRITERS
    names, for this room doesn't know those above.
    """
    modules = [import_module(name) for name in settings.MAIL_WRITERS]
    return {kind: writer for module in modules for kind, writer in module.WRITERS.items()}


@transaction.atomic
def _claim() -> PendingMail | None:
    """The next one that is due, which nobody else takes until its pause is over."""
    due = PendingMail.objects.select_for_update(skip_locked=True, of=("self",)).select_related("user")
    mail = due.filter(due_at__lte=timezone.now()).order_by("due_at", "pk").first()
    if mail is not None:
        pause = min(FIRST_PAUSE * 2 ** min(mail.attempts, 10), LONGEST_PAUSE)
        mail.attempts += 1
        mail.due_at = timezone.now() + timedelta(seconds=pause)
        mail.save(update_fields=["attempts", "due_at"])
    return mail


def _note_failure(mail: PendingMail, error: Exception) -> None:
    is_over = isinstance(error, Unmailable) or timezone.now() - mail.at >= LIFE
    what = "a mail is given up" if is_over else "a mail is tried again"
    # smtplib's errors are OSErrors too. Where a fault of ours is, the log is told once and not for hours.
    trace = None if isinstance(error, OSError) or (mail.attempts > 1 and not is_over) else error
    log.error("%s kind=%s mail=%s: %s", what, mail.kind, mail.pk, type(error).__name__, exc_info=trace)
    if is_over:
        mail.delete()
