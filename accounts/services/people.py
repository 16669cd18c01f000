"""Making people, and what they say about themselves."""

import secrets
import string

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.db import IntegrityError, transaction

from accounts.actors import Actor, require_self, require_system
from accounts.addresses import check as check_address
from accounts.errors import (
    InvalidPersonName,
    PersonExists,
    UnknownLanguage,
    UnknownTheme,
    UnknownTimeZone,
    WeakPassword,
    refusing,
)
from accounts.models import User
from accounts.names import refuse_too_many_marks, unless_kept, validate_name
from accounts.zones import is_zone

PASSWORD_ALPHABET = string.ascii_letters + string.digits
PASSWORD_LETTERS = 24  # 142 bits: long, for nobody is asked to remember it


def new_password() -> str:
    """A strong random password for a person."""
    return "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(PASSWORD_LETTERS))


@transaction.atomic
def create_person(
    email: str,
    *,
    by: Actor,
    name: str = "",
    password: str | None = None,
    staff: bool = False,
    demo_hash: str | None = None,
) -> tuple[User, str | None]:
    """Make a person; without a password a random one is made and returned, this once. The demo's people have one past
    the rules, which is too much like one of their addresses and public on purpose: only its hash is given.

    For the system alone: who may have people made is for the rooms above. Raises SomebodyElses, InvalidAddress,
    PersonExists, InvalidPersonName, TooManyMarks, WeakPassword.
    """
    require_system(by)
    _check_name(name)
    user = User(email=check_address(email), name=name, is_staff=staff, is_superuser=staff)
    generated = None
    if demo_hash is not None:
        user.password, user.is_demo = demo_hash, True
    else:
        if password is None:
            password = generated = new_password()
        else:
            with refusing(WeakPassword):
                validate_password(password, user)
        user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        raise PersonExists(email=user.email) from error
    return user, generated


def save_settings(user: User, *, by: Actor, name: str, language: str, time_zone: str, theme: str) -> None:
    """A person's own name, language ("" is the browser's), time zone ("" is UTC) and theme.

    Raises SomebodyElses, InvalidPersonName and TooManyMarks (unless it is the name that is stored), UnknownLanguage,
    UnknownTimeZone, UnknownTheme.
    """
    require_self(by, user)
    unless_kept(name, user.name, _check_name)
    for value, known, refusal in (
        (language, language in dict(settings.LANGUAGES), UnknownLanguage),
        (time_zone, is_zone(time_zone), UnknownTimeZone),
        (theme, theme in User.Theme.values, UnknownTheme),
    ):
        if value and not known:
            raise refusal(value=value)
    user.name, user.language, user.time_zone, user.theme = name, language, time_zone, theme
    user.save(update_fields=["name", "language", "time_zone", "theme"])


def _check_name(name: str) -> None:
    """Raises InvalidPersonName or TooManyMarks."""
    refuse_too_many_marks(name)
    with refusing(InvalidPersonName):
        User._meta.get_field("name").run_validators(name)  # its length
        validate_name(name)
