"""What a provider's owners decide about its look."""

import re
import secrets
from collections.abc import Callable
from typing import Any, TypedDict, Unpack
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, URLValidator
from django.db import transaction

from accounts.actors import Actor
from accounts.addresses import check as check_address
from accounts.errors import InvalidAddress, refusing
from accounts.names import unless_kept
from tenants import audit
from tenants.access import Right, require
from tenants.branding import logos
from tenants.branding.colours import canonical
from tenants.errors import InvalidColour, InvalidPhone, InvalidWebsite
from tenants.models import PHONE_LENGTH, WEBSITE_LENGTH, Branding, Logo, Provider
from tenants.services.authority import lock
from tenants.services.customers import check_place_name

PHONE = re.compile(rf"(?=.*[0-9])[0-9+()/. -]{{1,{PHONE_LENGTH}}}")


class Changes(TypedDict, total=False):
    """What is not named stays as it is. Empty: the provider's own name, Gatehouse's colour, no such contact."""

    name: str
    colour: str
    support_email: str
    support_phone: str
    support_url: str


def branding_of(provider: Provider, *, by: Actor) -> Changes:
    """As it is stored, for who may change it. Raises NotAllowed."""
    require(by, provider, Right.SET_BRANDING)
    row = _row_of(provider)
    return Changes(
        name=row.name,
        colour=row.colour,
        support_email=row.support_email,
        support_phone=row.support_phone,
        support_url=row.support_url,
    )


@transaction.atomic(durable=True)
def set_branding(provider: Provider, *, by: Actor, **changes: Unpack[Changes]) -> None:
    """Says in the trail what has changed.

    Raises NotAllowed, InvalidName, TooManyMarks, InvalidColour, InvalidAddress, InvalidPhone, InvalidWebsite.
    """
    require(by, provider, Right.SET_BRANDING)
    if unknown := changes.keys() - Changes.__annotations__:
        raise TypeError(f"nothing that branding has: {', '.join(sorted(unknown))}")
    lock(provider)
    require(by, provider, Right.SET_BRANDING)  # once more, after the line in which they waited
    row = _row_of(provider)
    judged = {field: _judged(row, field, value) for field, value in changes.items()}
    if judged.get("name") == provider.name:
        judged["name"] = ""  # so that it follows when that changes
    after = {field: value for field, value in judged.items() if value != getattr(row, field)}
    before = {field: getattr(row, field) for field in after}
    if after:
        _write(row, after)
        _record("provider.branding-changed", provider, by, {"before": before, "after": after})


def set_logo(provider: Provider, upload: bytes, *, by: Actor) -> None:
    """Of what is uploaded a small picture is kept, which is made anew. Raises NotAllowed, InvalidLogo, LogoTooLarge."""
    require(by, provider, Right.SET_BRANDING)
    picture = logos.read(upload)
    with transaction.atomic(durable=True):
        lock(provider)
        require(by, provider, Right.SET_BRANDING)
        row = _row_of(provider)
        if row.logo_digest != picture.digest:
            seen = {"logo_width": picture.width, "logo_height": picture.height}
            _write(row, {"logo_digest": picture.digest, **seen})
            Logo.objects.update_or_create(branding=row, defaults={"octets": picture.octets})
            _record("provider.logo-changed", provider, by, {"logo": picture.digest[:32]})


@transaction.atomic(durable=True)
def remove_logo(provider: Provider, *, by: Actor) -> None:
    """Raises NotAllowed."""
    require(by, provider, Right.SET_BRANDING)
    lock(provider)
    require(by, provider, Right.SET_BRANDING)
    row = _row_of(provider)
    if row.logo_digest:
        _write(row, {"logo_digest": "", "logo_width": 0, "logo_height": 0})
        Logo.objects.filter(branding=row).delete()
        _record("provider.logo-removed", provider, by)


@transaction.atomic(durable=True)
def reset_branding(provider: Provider, *, by: Actor) -> None:
    """Gatehouse's own look, the provider's own name, and nobody to ask. Raises NotAllowed."""
    require(by, provider, Right.SET_BRANDING)
    lock(provider)
    require(by, provider, Right.SET_BRANDING)
    if Branding.objects.filter(provider=provider).delete()[0]:
        _record("provider.branding-reset", provider, by)


def _row_of(provider: Provider) -> Branding:
    """Not stored yet where nothing was decided. Read anew: the provider may be a copy of before the lock."""
    found = Branding.objects.filter(provider=provider.pk).first()
    return found or Branding(provider_id=provider.pk, key=secrets.token_hex(16))


def _write(row: Branding, values: dict[str, Any]) -> None:
    for field, value in values.items():
        setattr(row, field, value)
    row.save()


def _record(action: str, provider: Provider, by: Actor, data: dict[str, Any] | None = None) -> None:
    audit.record(action, by=by, provider=provider, target=provider, data=data)


# --- What is typed ---
def _judged(row: Branding, field: str, typed: Any) -> str:
    text = str(typed or "").strip()
    return unless_kept(text, getattr(row, field), _JUDGES[field]) if text else ""


def _colour(typed: str) -> str:
    colour = canonical(typed)
    if colour is None:
        raise InvalidColour
    return colour


def _email(typed: str) -> str:
    try:
        return check_address(typed)
    except InvalidAddress as refusal:
        refusal.about("support_email")
        raise


def _phone(typed: str) -> str:
    if PHONE.fullmatch(typed) is None:
        raise InvalidPhone(most=PHONE_LENGTH)
    return typed


def _website(typed: str) -> str:
    """By HTTPS, and to where it seems to lead: what stands before an @ is no host."""
    address = typed if "://" in typed else f"https://{typed}"
    with refusing(InvalidWebsite):
        MaxLengthValidator(WEBSITE_LENGTH)(address)
        validator = URLValidator(schemes=["https"])
        validator(address)
        if "@" in urlsplit(address).netloc:
            raise ValidationError(validator.message, code=validator.code)
    return address


_JUDGES: dict[str, Callable[[str], str]] = {
    "name": check_place_name,
    "colour": _colour,
    "support_email": _email,
    "support_phone": _phone,
    "support_url": _website,
}
