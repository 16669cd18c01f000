"""The way back for who forgot the password: a link by mail, to whom the account belongs and to nobody else."""

import logging

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.cache import cache
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts import mails
from accounts.actors import SYSTEM, Actor, require_system
from accounts.mails import outbox
from accounts.models import PendingMail, User

log = logging.getLogger(__name__)

LINKS_IN_AN_HOUR = 5
AGAIN_SECONDS = 600  # much less than a link lives
RESET_LINK = "account/email/password_reset_key"


def ask_for_reset(email: str) -> None:
    """Somebody says to have forgotten the password of this address, on a page in the current language.

    The same is done for every address, known or not, and the rest in a worker: neither the answer nor the time that
    it takes tells who has an account here.
    """
    language = translation.get_language() or ""
    outbox.put(PendingMail(kind=RESET_LINK, email=email.strip()[:254], language=language))


def mail_reset_link(email: str, *, language: str = "") -> None:
    """Send the link, which works once and for PASSWORD_RESET_TIMEOUT seconds. `language` is for who has chosen none.

    Nothing is sent for an address that nobody here has, an account that is switched off, or a person who has no
    password because they sign in through an identity provider: a password would be a way around it. The mail goes to
    the address that we know, not to the one that was typed, however alike they look. After five in an hour, one goes
    out in ten minutes: who has been sent so many has one that still works, however many others ask.
    """
    user = User.objects.who_can_sign_in().filter(email=email).first()
    if user is None or not user.has_usable_password():
        log.info("a forgotten password was reported for an address without one")
        return
    turn = _turn(user)
    if turn is None:
        log.warning("links for a forgotten password were asked for again and again; the last one still works")
        return
    facts = {
        "link": reset_link(user, by=SYSTEM),
        "verb": _("Choose a new password"),
        "minutes": settings.PASSWORD_RESET_TIMEOUT // 60,
    }
    try:
        mails.send(user, RESET_LINK, facts, language=language)
    except Exception:  # it was not sent, and is tried again
        cache.delete(turn)
        raise


def _turn(user: User) -> str | None:
    """One of the turns that are left, which is taken with it."""
    turns = [(f"reset-link:{user.pk}:{turn}", 3600) for turn in range(LINKS_IN_AN_HOUR)]
    turns.append((f"reset-link:{user.pk}:again", AGAIN_SECONDS))
    return next((turn for turn, seconds in turns if cache.add(turn, True, seconds)), None)


def reset_link(user: User, *, by: Actor) -> str:
    """Sets a new password, once, within PASSWORD_RESET_TIMEOUT seconds. Whoever has it has the account, so it is the
    system's to make, and to hand over in a way that reaches nobody else. Raises SomebodyElses.
    """
    require_system(by)
    path = reverse(
        "account_reset_password_from_key",
        urlconf=settings.PUBLIC_SCHEMA_URLCONF,
        kwargs={"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)},
    )
    return mails.portal_url(path)


WRITERS = {RESET_LINK: lambda mail: mail_reset_link(mail.email, language=mail.language)}
