"""E-mail addresses: one spelling for one person, wherever an address is typed, sent by somebody, or looked up."""

from typing import Any
from unicodedata import normalize

import idna
from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, validate_email
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.errors import InvalidAddress, refusing
from accounts.names import visible

LONGEST = 254  # RFC 5321, 4.5.3.1.3


def canonical(address: str) -> str:
    """The one spelling of an address: as mail is sent to it. Never raises; what is no address stays none.

    Without invisible characters, NFC, in lower case, the domain in the ASCII form of IDNA (RFC 5891). A letter that
    would become an ASCII one on the way (U+212A, the sign for kelvin, a `k`) stays what it is: it is somebody else's.
    """
    seen = visible(address).strip()
    if seen.isascii():
        local, at, domain = seen.lower().rpartition("@")
    else:
        if len(seen) > LONGEST or any(map(_poses_as_ascii, seen)):
            return "".join(char.lower() if char.isascii() else char for char in seen)
        local, at, domain = normalize("NFC", seen.lower()).rpartition("@")
    return f"{local}{at}{_ascii_domain(domain)}" if at else domain


def check(address: str) -> str:
    """The one spelling. Raises InvalidAddress for what is no address, or too long to be kept, or has a letter that poses
    as another one.
    """
    spelled = canonical(address)
    with refusing(InvalidAddress):
        MaxLengthValidator(LONGEST)(spelled)
        validate(spelled)
    return spelled


def validate(spelled: str) -> None:
    """Of forms and models, whose fields have their length: check() is for verbs. Raises ValidationError."""
    validate_email(spelled)
    if any(map(_poses_as_ascii, spelled)):
        raise ValidationError(
            _("This address has a letter that only looks like the one that you mean. Type it by hand."),
            code="invalid",
        )


def _poses_as_ascii(char: str) -> bool:
    return not char.isascii() and any(one.isascii() for one in normalize("NFKC", char).lower() + char.lower())


def _ascii_domain(domain: str) -> str:
    if domain.isascii() and "xn--" not in domain:
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain


class AddressField(models.EmailField):
    """Keeps and finds addresses in their one spelling, whoever asks."""

    def deconstruct(self) -> Any:
        # For migrations it is what it is to the database.
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.EmailField", args, kwargs

    def to_python(self, value: Any) -> Any:
        return canonical(value) if isinstance(value, str) else super().to_python(value)

    def get_prep_value(self, value: Any) -> Any:
        return canonical(value) if isinstance(value, str) else super().get_prep_value(value)

    def formfield(self, *args: Any, **kwargs: Any) -> Any:
        return super().formfield(*args, **{"form_class": AddressFormField, **kwargs})


class AddressFormField(forms.EmailField):
    """Gives the one spelling of what was typed."""

    default_validators = [validate]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": LONGEST, **kwargs})

    def to_python(self, value: Any) -> str:
        return canonical(super().to_python(value) or "")
