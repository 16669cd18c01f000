"""Notices: a person hears by mail of what happened with their account, so that a stranger's doing is noticed."""

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import tasks
from accounts.devices import address_of, user_agent_of
from accounts.models import User

NEW_DEVICE = "accounts/email/new_device"
PASSKEY_COPIED = "accounts/email/passkey_copied"


def announce(template: str, user: User, request: HttpRequest, **details: str) -> None:
    """Send the mail of that name after the commit, with the time and from where it was done.

    Never fails: should Redis be away by now, the act is done all the same, and a line in the log says that nobody was
    told.
    """
    facts = {
        "at": timezone.now().isoformat(),
        "ip": address_of(request),
        "user_agent": user_agent_of(request),
        "details": details,
    }

    # A function with a name, for Django looks it up when it has to say which one failed.
    def ring() -> None:
        tasks.mail_notice.delay(template, user.pk, **facts)

    transaction.on_commit(ring, robust=True)
