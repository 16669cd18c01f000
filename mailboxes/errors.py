"""What can go wrong with mailboxes. Services raise; each face (form, command, SMTP, POP3) words it once."""

from uuid import UUID

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from accounts.errors import Refusal


class MailboxError(Refusal):
    """Base of all in this room."""

    code = "mailbox-error"


# --- Finding and creating ---
class NoSuchMailbox(MailboxError):
    code = "no-such-mailbox"
    status = 404
    template = _("There is no such mailbox.")


class InvalidName(MailboxError):
    code = "invalid-name"
    status = 422
    field = "name"
    template = _(
        "Type a name of 1 to %(most)s characters, at least one of which people can see, without line breaks or other control "
        "characters."
    )


class InvalidDescription(MailboxError):
    code = "invalid-description"
    status = 422
    field = "description"
    template = _(
        "The description may have up to %(most)s characters, without line breaks or other control characters."
    )


class NameTaken(MailboxError):
    code = "name-taken"
    field = "name"
    template = _("There is already a mailbox named “%(name)s”. Choose another name.")


class TooManyMailboxes(MailboxError):
    code = "too-many-mailboxes"
    template = ngettext_lazy(
        "There may be no more than %(most)s mailbox here. Delete one that is needed no longer, or ask your service provider for "
        "a higher limit.",
        "There may be no more than %(most)s mailboxes here. Delete one that is needed no longer, or ask your service provider "
        "for a higher limit.",
        "most",
    )


class NotUnderstood(MailboxError):
    code = "not-understood"
    status = 422
    field = "understood"
    template = _("Tick the box to confirm that you have read and understood the warning.")


class OfferExpired(MailboxError):
    code = "offer-expired"
    status = 410
    field = "token"
    template = _("This page is too old, so nothing was done. Start again; you will get another password.")


class OfferAltered(MailboxError):
    code = "offer-altered"
    status = 422
    field = "token"
    template = _("This page was altered or belongs to somebody else, so nothing was done. Start again.")


class AlreadyCreated(MailboxError):
    """The same offer came twice. `mailbox_id` is the mailbox that it made."""

    code = "already-created"
    template = _("This mailbox has been created already. The password that was shown with it is valid.")

    def __init__(self, mailbox_id: UUID) -> None:
        super().__init__()
        self.mailbox_id = mailbox_id


# --- Changing ---
class MailboxDeleting(MailboxError):
    code = "mailbox-deleting"
    template = _("This mailbox is being deleted.")


class InvalidReason(MailboxError):
    code = "invalid-reason"
    status = 422
    field = "reason"
    template = _(
        "The reason may have up to %(most)s characters, without line breaks or other control characters."
    )


class TestedTooOften(MailboxError):
    code = "tested-too-often"
    status = 429
    template = _(
        "The way to this mailbox was tested a moment ago, or you have tested many. Try again in some minutes."
    )


class UnknownStatus(MailboxError):
    code = "unknown-status"
    status = 422
    field = "status"
    template = _("Choose whether the mailbox is active or suspended.")


# --- Passwords ---
class PasswordMistyped(MailboxError):
    """Its check characters don't fit, so it can't be any mailbox's password."""

    code = "password-mistyped"
    status = 422
    field = "password"
    template = _("This password was mistyped: its check characters don't match. Compare it with your copy.")


class PasswordMiscounted(PasswordMistyped):
    """It is too short or too long: so it is said how long one is, instead of what nobody could compare."""

    template = _(
        "This password was mistyped: a mailbox's password has %(length)s characters, not counting spaces and dashes, "
        "and you typed %(typed)s."
    )


class WrongCurrentPassword(MailboxError):
    code = "wrong-current-password"
    status = 422
    field = "password"
    template = _("This is a well-formed password, but not the one of this mailbox. Nothing was changed.")


class TooManyGuesses(MailboxError):
    code = "too-many-guesses"
    status = 429
    field = "password"
    template = ngettext_lazy(
        "There were too many wrong passwords for this mailbox. Wait %(minutes)s minute, then try again.",
        "There were too many wrong passwords for this mailbox. Wait %(minutes)s minutes, then try again.",
        "minutes",
    )


class LockedMailUndecided(MailboxError):
    code = "locked-mail-undecided"
    status = 422
    field = "locked_mail"
    template = _(
        "Without the current password the waiting mail stays locked. Choose whether to keep or to delete it."
    )


class NothingToGiveUp(MailboxError):
    """To delete what waits goes with a lost password only: whoever has it and asks for that must mean one or the other."""

    code = "nothing-to-give-up"
    status = 422
    field = "locked_mail"
    template = _(
        "With the current password all waiting mail stays readable, and none is deleted. "
        "Choose to keep it, or leave the current password empty."
    )


class OfferOutdated(MailboxError):
    code = "offer-outdated"
    field = "token"
    template = _(
        "The keys of this mailbox have changed since this page was made, and the password that it showed is not "
        "valid. Start again; you will get another one."
    )


class AlreadyReset(MailboxError):
    """The same offer came twice."""

    code = "already-reset"
    template = _("The password has been reset already. The one that was shown with this page is valid.")


class NothingToUnlock(MailboxError):
    code = "nothing-to-unlock"
    field = "password"
    template = _("There is no mail in this mailbox that this password would unlock.")


# --- Deleting ---
class StillActive(MailboxError):
    code = "still-active"
    template = _("“%(name)s” is still active. Suspend it, then delete it.")


class NameNotConfirmed(MailboxError):
    code = "name-not-confirmed"
    status = 422
    field = "confirmed_name"
    template = _("Type the mailbox's name exactly as it is shown to confirm the deletion.")


class NoSuchCertificate(MailboxError):
    code = "no-such-certificate"
    status = 404
    template = _("There is no such deletion certificate.")


# --- Jobs ---
class NoSuchJob(MailboxError):
    code = "no-such-job"
    status = 404
    template = _("There is no such job.")


class NothingToRetry(MailboxError):
    code = "nothing-to-retry"
    template = _("This job can't be tried again.")


class PasswordNeeded(MailboxError):
    code = "password-needed"
    status = 422
    field = "password"
    template = _("Type the mailbox's password, so that the job can go on.")


# --- Delivery ---
class UnknownAddress(MailboxError):
    code = "unknown-address"
    status = 404
    field = "address"
    template = _("There is no mailbox with this address.")


class MailboxActive(MailboxError):
    code = "mailbox-active"
    template = _("This mailbox is active.")


class MailboxSuspended(MailboxError):
    code = "mailbox-suspended"
    template = _("This mailbox is suspended.")


class CustomerSuspended(MailboxSuspended):
    """All its mailboxes, whatever their own status is."""

    code = "customer-suspended"
    template = _("All mailboxes of this customer are suspended.")


class MailboxFull(MailboxError):
    code = "mailbox-full"
    status = 507
    template = _("This mailbox is full.")


class CustomerFull(MailboxFull):
    """As much waits in all mailboxes of the customer together as may."""

    code = "customer-full"
    template = _("The mailboxes of this customer are full.")


class MessageTooLarge(MailboxError):
    """For this customer: it will get no better."""

    code = "message-too-large"
    status = 413
    field = "octets"
    template = _("This message is larger than this customer takes.")


class NetworkNotAllowed(MailboxError):
    code = "network-not-allowed"
    status = 403
    field = "peer"
    template = _("Mail from this network is not accepted for this mailbox.")


class KeyChanged(MailboxError):
    """The mailbox got another key while the message was on its way; the sender's next try is sealed to the new one."""

    code = "key-changed"
    template = _("The mailbox was given another key a moment ago. Try again.")


class StoreFull(MailboxError):
    code = "store-full"
    status = 507
    template = _("The message store is full.")


class StoreFailed(MailboxError):
    code = "store-failed"
    status = 503
    template = _("The message store did not take or give what it was asked for.")


class StoresNotBothInUse(MailboxError):
    """Nothing may move before every process knows both stores, and new mail goes to the one where it is to be."""

    code = "stores-not-both-in-use"
    template = _(
        "Set GATEHOUSE_STORE_URL to “%(target)s” and GATEHOUSE_STORE_OTHER_URL to “%(source)s”, start all processes "
        "again, then repeat this."
    )


class StoresAreOne(MailboxError):
    """What is moved would be removed from where it lies."""

    code = "stores-are-one"
    template = _(
        "“%(source)s” and “%(target)s” are the same place, or one lies within the other, so nothing was moved. Name two "
        "places that have nothing in common."
    )


class StoreIsMoving(MailboxError):
    code = "store-is-moving"
    template = _("Somebody else moves the message store at this moment.")


# --- Collection ---
class BadCredentials(MailboxError):
    code = "bad-credentials"
    status = 403
    template = _("Unknown mailbox or wrong password.")


class MaildropInUse(MailboxError):
    code = "maildrop-in-use"
    template = _("Another session has this maildrop open.")


class MaildropLost(MailboxError):
    code = "maildrop-lost"
    template = _("Another session has taken this maildrop over.")


class MessageGone(MailboxError):
    code = "message-gone"
    status = 410
    template = _("This message is no longer there.")
