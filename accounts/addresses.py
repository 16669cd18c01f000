"""Email addresses: one spelling for one person, wherever an address is typed, sent by somebody, or looked up."""

from collections.abc import Callable
from typing import Any
from unicodedata import normalize

import idna
from django import forms
from django.core.exceptions import ValidationError
from django.core.mail.message import sanitize_address
from django.core.validators import MaxLengthValidator, validate_email
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.errors import InvalidAddress, refusing
from accounts.names import unless_kept, visible

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
    as another one, or is another spelling of where mail to it goes.
    """
    return _checked(address, validate)


def check_known(address: str) -> str:
    """Of somebody who is looked up by it and may be here for long: check() by the rule of validate_known()."""
    return _checked(address, validate_known)


def _checked(address: str, judge: Callable[[str], None]) -> str:
    spelled = canonical(address)
    with refusing(InvalidAddress):
        MaxLengthValidator(LONGEST)(spelled)
        judge(spelled)
    return spelled


def validate(spelled: str) -> None:
    """Of forms and models, whose fields have their length: check() is for verbs. Raises ValidationError."""
    validate_known(spelled)
    if mailed_to(spelled) != spelled:
        raise ValidationError(validate_email.message, code="invalid")


def validate_known(spelled: str) -> None:
    """Of an address by which somebody is looked up. Earlier releases took more than validate() does, and who has such a
    one still gets in. Raises ValidationError.
    """
    validate_email(spelled)
    if any(map(_poses_as_ascii, spelled)):
        raise ValidationError(
            _("This address has a letter that only looks like the one that you mean. Type it by hand."),
            code="invalid",
        )


def _poses_as_ascii(char: str) -> bool:
    return not char.isascii() and any(one.isascii() for one in normalize("NFKC", char).lower() + char.lower())


def mailed_to(address: str) -> str:
    """Where mail to it goes, "" if none can be made.

    A domain that canonical() leaves as it is has no form by IDNA of today (RFC 5891). By the older one that Django has, a
    snowman leads where its other spelling `xn--n3h` does, and a label of more than 63 octets nowhere. Encoded words
    (RFC 2047) and quotes that need not be there are other spellings as well.
    """
    try:
        return str(sanitize_address(address, "utf-8"))
    except ValueError:  # UnicodeError is one
        return ""


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

    def validate(self, value: Any, model_instance: Any) -> None:
        super().validate(value, model_instance)
        rows = model_instance._meta.default_manager.filter(pk=model_instance.pk) if model_instance else None
        kept = rows.values_list(self.attname, flat=True).first() if rows is not None else None
        unless_kept(value, kept, validate)

    def formfield(self, *args: Any, **kwargs: Any) -> Any:
        # What is new is judged above, by the row that keeps it.
        return super().formfield(*args, **{"form_class": KnownAddressFormField, **kwargs})


class AddressFormField(forms.EmailField):
    """Gives the one spelling of what was typed."""

    default_validators = [validate]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": LONGEST, **kwargs})

    def to_python(self, value: Any) -> str:
        return canonical(super().to_python(value) or "")


class KnownAddressFormField(AddressFormField):
    """By which somebody is looked up."""

    default_validators = [validate_known]
