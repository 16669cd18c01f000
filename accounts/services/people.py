"""Making people, and what they say about themselves."""

import secrets
import string
from typing import TypedDict, Unpack

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


class NewcomersSettings(TypedDict, total=False):
    """What somebody begins with. What is not named is as for everybody."""

    language: str
    time_zone: str


@transaction.atomic
def create_person(
    email: str,
    *,
    by: Actor,
    name: str = "",
    password: str | None = None,
    staff: bool = False,
    demo_hash: str | None = None,
    **begins_with: Unpack[NewcomersSettings],
) -> tuple[User, str | None]:
    """Make a person; without a password a random one is made and returned, this once. The demo's people have one past
    the rules, which is too much like one of their addresses and public on purpose: only its hash is given.

    For the system alone: who may have people made is for the rooms above. Raises SomebodyElses, InvalidAddress,
    PersonExists, InvalidPersonName, TooManyMarks, UnknownLanguage, UnknownTimeZone, WeakPassword.
    """
    require_system(by)
    _check_name(name)
    _check_choices(begins_with.get("language"), begins_with.get("time_zone"))
    user = User.objects.begun(
        check_address(email), name=name, is_staff=staff, is_superuser=staff, **begins_with
    )
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


class Settings(TypedDict, total=False):
    """What people say about themselves: a language of "" is the browser's, a time zone of "" is UTC."""

    name: str
    language: str
    time_zone: str
    theme: str


def save_settings(user: User, *, by: Actor, **changes: Unpack[Settings]) -> None:
    """Change a person's own settings; what is not named stays.

    Raises SomebodyElses, InvalidPersonName and TooManyMarks (unless it is the name that is stored), UnknownLanguage,
    UnknownTimeZone, UnknownTheme.
    """
    require_self(by, user)
    if unknown := changes.keys() - Settings.__annotations__:
        raise TypeError(f"no settings: {', '.join(sorted(unknown))}")
    if "name" in changes:
        unless_kept(changes["name"], user.name, _check_name)
    _check_choices(changes.get("language"), changes.get("time_zone"))
    if (theme := changes.get("theme")) and theme not in User.Theme.values:
        raise UnknownTheme(value=theme)
    for field, value in changes.items():
        setattr(user, field, value)
    user.save(update_fields=list(changes))


def _check_choices(language: str | None, time_zone: str | None) -> None:
    """Raises UnknownLanguage or UnknownTimeZone."""
    if language and language not in dict(settings.LANGUAGES):
        raise UnknownLanguage(value=language)
    if time_zone and not is_zone(time_zone):
        raise UnknownTimeZone(value=time_zone)


def _check_name(name: str) -> None:
    """Raises InvalidPersonName or TooManyMarks."""
    refuse_too_many_marks(name)
    with refusing(InvalidPersonName):
        User._meta.get_field("name").run_validators(name)  # its length
        validate_name(name)
