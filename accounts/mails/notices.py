"""Notices: a person hears by mail of what happened with their account, so that a stranger's doing is noticed."""

import logging

from django.utils import translation

from accounts import mails
from accounts.devices import describe
from accounts.mails import outbox
from accounts.models import PendingMail, User

log = logging.getLogger(__name__)

NEW_DEVICE = "accounts/email/new_device"
PASSKEY_COPIED = "accounts/email/passkey_copied"
PASSWORD_CHANGED = "account/email/password_changed"  # noqa: S105 - the name of a mail
PASSWORD_RESET = "account/email/password_reset"  # noqa: S105 - the name of a mail
# The mails that there are, by the beginning of their templates' names. No other is ever sent, whoever asks for it.
NOTICES = frozenset(
    {
        NEW_DEVICE,
        PASSKEY_COPIED,
        PASSWORD_CHANGED,
        PASSWORD_RESET,
        "mfa/email/recovery_codes_generated",
        "mfa/email/totp_activated",
        "mfa/email/totp_deactivated",
        "mfa/email/webauthn_added",
        "mfa/email/webauthn_removed",
    }
)


def announce(notice: str, user: User, *, ip: str, user_agent: str, to: str = "", **details: str) -> None:
    """Send that notice after the commit, with the time and from where it was done.

    To the person's address as it is when the mail is sent, or `to` another that was theirs; in their language, or the
    page's, if they have chosen none. `details` are plain texts for its template. Should Redis be away, it is sent when
    beat rings. A notice that is none of NOTICES is not sent, and an error in the log says so.
    """
    if notice not in NOTICES:
        log.error("there is no such notice: %s", notice)
        return
    outbox.put(
        PendingMail(
            kind=notice,
            user=user,
            email=to,
            ip=ip,
            user_agent=user_agent,
            details=details,
            language=translation.get_language() or "",
        )
    )


def send(mail: PendingMail) -> None:
    """Nothing is sent to whose account is closed. Raises what mails.send() does."""
    user = mail.user
    if user is None or not user.is_active:
        return
    with mails.speaking_to(user, otherwise=mail.language):
        device = describe(mail.user_agent)
    facts = {**mail.details, "timestamp": mail.at, "ip": mail.ip, "user_agent": device}
    mails.send(user, mail.kind, facts, to=mail.email, language=mail.language)


WRITERS = dict.fromkeys(NOTICES, send)
