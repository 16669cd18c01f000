"""What is done to people, whoever asks for it."""

import secrets
import string

from django.db import transaction

from accounts.models import User

PASSWORD_ALPHABET = string.ascii_letters + string.digits
PASSWORD_LETTERS = 24  # 142 bits: long, for nobody is asked to remember it


@transaction.atomic
def create_person(
    email: str, *, name: str = "", password: str | None = None, staff: bool = False
) -> tuple[User, str | None]:
    """Make a person; without a password a random one is made and returned, this once.

    Raises django.core.exceptions.ValidationError for what is no e-mail address, is taken, or for a weak password.
    """
    generated = None
    if password is None:
        password = generated = "".join(secrets.choice(PASSWORD_ALPHABET) for _ in range(PASSWORD_LETTERS))
    user = User(email=email.strip().lower(), name=name, is_staff=staff, is_superuser=staff)
    user.set_password(password)
    user.full_clean()
    user.save()
    return user, generated


def save_settings(user: User, *, name: str, language: str) -> None:
    """A person's own name and language ("" is the browser's)."""
    user.name, user.language = name, language
    user.save(update_fields=["name", "language"])
