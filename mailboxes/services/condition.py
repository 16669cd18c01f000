"""How a mailbox is, for people: what its page says before all else, and what it waits for."""

from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone

from mailboxes.models import Mailbox
from mailboxes.services import statuses
from mailboxes.services.statuses import Act
from mailboxes.services.tallies import Activity

# Exchange Online keeps a mail for about a day. By then half of that is over, and others have bounced warnings.
LONG_SUSPENSION = timedelta(hours=12)


class Condition(NamedTuple):
    """What is to be known of a mailbox. Of one that is being deleted that alone is worth saying.

    `awaits_mail` and `awaits_collection`: there has been none yet, and there may be. `locked` and `damaged` count messages.
    """

    suspended: bool
    suspended_for_long: bool
    being_deleted: bool
    awaits_mail: bool
    awaits_collection: bool
    locked: int
    damaged: int


def condition(mailbox: Mailbox, activity: Activity) -> Condition:
    """How it is, by the row and the counters at hand."""
    over = statuses.is_over(mailbox)
    suspended = not over and not statuses.allows(mailbox, Act.TAKE_MAIL)
    since = mailbox.suspended_at
    return Condition(
        suspended=suspended,
        suspended_for_long=suspended and since is not None and timezone.now() - since > LONG_SUSPENSION,
        being_deleted=over,
        awaits_mail=not over and activity.first_mail_at is None,
        awaits_collection=not over and activity.first_collection_at is None,
        locked=0 if over else activity.locked,
        damaged=0 if over else activity.damaged,
    )
