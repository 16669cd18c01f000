"""What each line of a delivery log means in words, and the next step."""

from collections.abc import Callable
from typing import NamedTuple

from django.conf import settings
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mailboxes.models import LogLine

Direction = LogLine.Direction
Reason = LogLine.Reason


class Meaning(NamedTuple):
    """`next_step` is empty where there is nothing to do."""

    said: str
    next_step: str = ""


def meaning(line: LogLine) -> Meaning:
    """In the reader's language. Of a reason that a later release has written, that there is one."""
    words = MEANINGS.get((line.direction, line.reason)) or MEANINGS.get(("", line.reason))
    return words(line) if words else Meaning(line.reason)


def _collected(line: LogLine) -> Meaning:
    messages, deleted = line.messages or 0, line.deleted or 0
    if messages == deleted:
        return Meaning(
            ngettext(
                "%(count)s message collected and deleted",
                "%(count)s messages collected and deleted",
                messages,
            )
            % {"count": messages}
        )
    said = ngettext(
        "%(count)s message collected; deleted here: %(deleted)s",
        "%(count)s messages collected; deleted here: %(deleted)s",
        messages,
    ) % {"count": messages, "deleted": deleted}
    if deleted:
        return Meaning(said)
    return Meaning(
        said,
        _(
            "The archiver leaves its mail here. Have it delete what it has collected, or the mailbox fills up."
        ),
    )


def _too_large(line: LogLine) -> Meaning:
    if line.octets is not None and line.octets <= settings.MAX_MESSAGE_OCTETS:
        return Meaning(
            _("Refused: larger than this customer takes"),
            _("Have the sender send less, or ask the service provider to raise the limit."),
        )
    return Meaning(
        _("Refused: larger than the limit of %(size)s")
        % {"size": filesizeformat(settings.MAX_MESSAGE_OCTETS)},
        _("Have the sender send less, or ask the platform's staff to raise the limit."),
    )


MEANINGS: dict[tuple[str, str], Callable[[LogLine], Meaning]] = {
    # Mail in
    ("", Reason.KEPT): lambda line: Meaning(_("Sealed and kept")),
    ("", Reason.SUSPENDED): lambda line: Meaning(
        _("Put off: the mailbox or the whole customer is suspended"),
        _("Activate it. Senders try again for days, not for ever."),
    ),
    ("", Reason.FULL): lambda line: Meaning(
        _("Put off: the mailbox is full, or all of the customer together"),
        _("Let the archiver collect and delete what waits. Senders try again meanwhile."),
    ),
    ("", Reason.NETWORK): lambda line: Meaning(
        _("Refused: mail is not accepted from this network"),
        _("If this is your mail system, have its address added to the networks that may deliver."),
    ),
    ("", Reason.TOO_LARGE): _too_large,
    ("", Reason.BARE_LF): lambda line: Meaning(
        _("Refused: a line of the message does not end as lines of mail do"),
        _("Have the program that makes these messages end lines with CRLF, or send them in chunks (BDAT)."),
    ),
    ("", Reason.NO_ROOM): lambda line: Meaning(
        _("Put off: the message store has no room"),
        _("Tell the platform's staff. Senders try again meanwhile."),
    ),
    ("", Reason.WITH_OTHERS): lambda line: Meaning(
        _("Not taken: the same message was for another mailbox, too, and that one did not take it"),
        _("The sender tries again, and learns which one it is."),
    ),
    # Collections
    ("", Reason.COLLECTED): _collected,
    ("", Reason.NOTHING): lambda line: Meaning(_("Signed in, and took nothing")),
    ("", Reason.WRONG_PASSWORD): lambda line: Meaning(
        _("Refused: the login name or the password is wrong, or there were too many attempts"),
        _("If this is your archiver, give it this mailbox's password. If not, somebody is guessing."),
    ),
    ("", Reason.NO_TLS): lambda line: Meaning(
        _("Refused: the archiver wants to sign in without TLS"),
        _("Have it use the port with TLS, or begin TLS (STLS) before it signs in."),
    ),
    ("", Reason.IN_USE): lambda line: Meaning(
        _("Turned away: another session was open"),
        _("Let one archiver alone collect here, with more time from one visit to the next."),
    ),
    ("", Reason.AT_ONCE): lambda line: Meaning(
        _("Turned away: too many sign-ins at once"),
        _("Let one archiver alone collect here, with more time from one visit to the next."),
    ),
    ("", Reason.ENDED): lambda line: Meaning(
        _("Ended: the password was reset, or another session took over"),
        _("Nothing was deleted. Give the archiver the new password, if there is one."),
    ),
    ("", Reason.NOT_DELETED): lambda line: Meaning(
        _("Collected, but perhaps not deleted: a fault of this installation"),
        _("The archiver may get these messages again. If it happens again, tell the platform's staff."),
    ),
    # Both
    ("", Reason.TROUBLE): lambda line: Meaning(
        _("Put off: a fault of this installation"),
        _("Senders try again. If it happens again, tell the platform's staff."),
    ),
    (Direction.DELIVERY, Reason.BROKEN_OFF): lambda line: Meaning(
        _("Broken off: the sender went away in the middle of the message"),
        _("It tries again. If it goes on like this, look at the network and the firewalls in between."),
    ),
    (Direction.COLLECTION, Reason.BROKEN_OFF): lambda line: Meaning(
        _("Broken off: the archiver went away without a word"),
        _("Nothing was deleted, and it gets the same messages again. Look at its log for the reason."),
    ),
    (Direction.DELIVERY, Reason.TOO_SLOW): lambda line: Meaning(
        _("Broken off: the sender was silent for too long, or too slow"),
        _("It tries again. If it goes on like this, look at the network and the firewalls in between."),
    ),
    (Direction.COLLECTION, Reason.TOO_SLOW): lambda line: Meaning(
        _("Broken off: the archiver was silent for too long"),
        _("Nothing was deleted, and it gets the same messages again. Look at its log for the reason."),
    ),
    ("", Reason.STOPPED): lambda line: Meaning(
        _("Broken off by the gateway, which was restarted or needed the place"),
        _("Nothing to do: it is tried again."),
    ),
    ("", Reason.LIMITS): lambda line: Meaning(
        _("Broken off: too many mistakes on one connection"),
        _("Look at the log of the mail system, which has the reply in full."),
    ),
}
