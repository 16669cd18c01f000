"""What can go wrong with mailboxes. Services raise; each face (form, command, SMTP, POP3) words it once."""

from uuid import UUID

from django.utils.translation import gettext_lazy as _

from accounts.errors import Refusal


class MailboxError(Refusal):
    """Base of all in this room."""

    code = "mailbox-error"


# --- Finding and creating ---
class NoSuchMailbox(MailboxError):
    code = "no-such-mailbox"
    template = _("There is no such mailbox.")


class InvalidName(MailboxError):
    code = "invalid-name"
    template = _("Type a name of 1 to 100 characters, without line breaks.")


class InvalidDescription(MailboxError):
    code = "invalid-description"
    template = _("The description may have up to 500 characters, without line breaks.")


class NameTaken(MailboxError):
    code = "name-taken"
    template = _("There is already a mailbox named “%(name)s”. Choose another name.")


class NotUnderstood(MailboxError):
    code = "not-understood"
    template = _("Tick the box to confirm that you have read and understood the warning.")


class OfferExpired(MailboxError):
    code = "offer-expired"
    template = _(
        "This page is too old, so no mailbox was created. Start again; you will get another password."
    )


class OfferAltered(MailboxError):
    code = "offer-altered"
    template = _("This page was altered or belongs to somebody else, so no mailbox was created. Start again.")


class AlreadyCreated(MailboxError):
    """The same offer came twice. `mailbox_id` is the mailbox that it made."""

    code = "already-created"
    template = _("This mailbox has been created already. The password that was shown with it is valid.")

    def __init__(self, mailbox_id: UUID) -> None:
        super().__init__()
        self.mailbox_id = mailbox_id


# --- Delivery ---
class UnknownAddress(MailboxError):
    code = "unknown-address"
    template = _("There is no mailbox with this address.")


class MailboxDeleting(MailboxError):
    code = "mailbox-deleting"
    template = _("This mailbox is being deleted.")


class MailboxSuspended(MailboxError):
    code = "mailbox-suspended"
    template = _("This mailbox is suspended.")


class MailboxFull(MailboxError):
    code = "mailbox-full"
    template = _("This mailbox is full.")


class NetworkNotAllowed(MailboxError):
    code = "network-not-allowed"
    template = _("Mail from this network is not accepted for this mailbox.")


class KeyChanged(MailboxError):
    """The mailbox got another key while the message was on its way; the sender's next try is sealed to the new one."""

    code = "key-changed"
    template = _("The mailbox was given another key a moment ago. Try again.")


class StoreFull(MailboxError):
    code = "store-full"
    template = _("The message store is full.")


class StoreFailed(MailboxError):
    code = "store-failed"
    template = _("The message store did not take or give what it was asked for.")


# --- Collection ---
class BadCredentials(MailboxError):
    code = "bad-credentials"
    template = _("Unknown mailbox or wrong password.")


class MaildropInUse(MailboxError):
    code = "maildrop-in-use"
    template = _("Another session has this maildrop open.")


class MaildropLost(MailboxError):
    code = "maildrop-lost"
    template = _("Another session has taken this maildrop over.")


class MessageGone(MailboxError):
    code = "message-gone"
    template = _("This message is no longer there.")
