"""Sign-ins by POP3 that were refused: told in the console, where somebody can give the archiver its new password."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import F
from django.utils import timezone
from django_tenants.utils import tenant_context

from accounts.actors import Actor
from mailboxes.models import Mailbox, SignInRefusal
from mailboxes.services import statuses
from mailboxes.services.statuses import Act
from tenants import access, directory
from tenants.models import Customer

NOTED_AGAIN = timedelta(minutes=1)  # at most once in this time for one mailbox and network
TOLD = timedelta(days=2)  # after the last one; archivers come at least daily
NETWORKS = 20  # told of one mailbox; whoever guesses from everywhere fills no table


def note(login: str, network: str) -> bool:
    """A sign-in with this name, from this network, was refused. Nothing happens where there is no such mailbox, which is said."""
    entry = directory.look_up_login(login)
    if entry is None or not statuses.allows(entry, Act.COLLECT):
        return False
    now = timezone.now()
    with tenant_context(entry.customer), connection.cursor() as cursor:
        SignInRefusal.objects.filter(mailbox_id=entry.mailbox_id, last_at__lt=told_since()).delete()
        # One statement, for many processes may have the same to tell.
        cursor.execute(
            "INSERT INTO mailboxes_signinrefusal AS known (mailbox_id, network, since, last_at)"
            " VALUES (%(mailbox)s, %(network)s, %(now)s, %(now)s)"
            " ON CONFLICT (mailbox_id, network) DO UPDATE SET last_at = excluded.last_at"
            " WHERE known.last_at < %(noted_before)s",
            {
                "mailbox": entry.mailbox_id,
                "network": network,
                "now": now,
                "noted_before": now - NOTED_AGAIN,
            },
        )
        # The newest stay: strangers must not hide the archiver, which comes again and again.
        newest = SignInRefusal.objects.filter(mailbox_id=entry.mailbox_id).order_by("-last_at", "-pk")
        SignInRefusal.objects.filter(pk__in=list(newest.values_list("pk", flat=True)[NETWORKS:])).delete()
    return True


def end(mailbox_id: UUID, network: str) -> None:
    """The right password came from there. In the customer's schema."""
    SignInRefusal.objects.filter(mailbox=mailbox_id, network=network).delete()


def told_since() -> datetime:
    """Refusals whose last one is older are not told any more."""
    return timezone.now() - TOLD


def sign_in_refusals_of(customer: Customer, mailbox: Mailbox, *, by: Actor) -> list[SignInRefusal]:
    """What is worth telling of a mailbox, the eldest first, and until when it is. Raises tenants.errors.NotAllowed."""
    access.require(by, customer, access.Right.VIEW_MAILBOXES)
    if not statuses.allows(mailbox, Act.COLLECT):  # nobody is to sign in there
        return []
    with tenant_context(customer):
        lately = SignInRefusal.objects.filter(mailbox=mailbox, last_at__gte=told_since())
        return list(lately.annotate(told_until=F("last_at") + TOLD).order_by("since", "pk"))
