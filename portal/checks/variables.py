"""Wrong environment variables, found before they hurt."""

import base64
import binascii
import ipaddress
import json
import os
import re
import stat
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.checks.security.base import (
    SECRET_KEY_INSECURE_PREFIX,
    SECRET_KEY_MIN_LENGTH,
    SECRET_KEY_MIN_UNIQUE_CHARACTERS,
)
from django.core.exceptions import ImproperlyConfigured

from gateway.errors import BadCertificate
from gateway.tls import ends_soon, first_of
from mailboxes.vault import PrivateKey
from portal.gates.mta_sts import policy_host
from portal.network import is_loopback
from portal.onebox.secrets import FILE_NAME, WORKER_KEY_OCTETS

TAG = "gatehouse"
PUBLIC_KEY_OCTETS = 1216
LISTENED_ON = ("HTTP_PORT", "SMTP_PORT", "SMTPS_PORT", "POP3_PORT", "POP3S_PORT")
PUBLIC = ("PUBLIC_SMTP_PORT", "PUBLIC_SMTPS_PORT", "PUBLIC_POP3_PORT", "PUBLIC_POP3S_PORT")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")


@register(TAG)
def environment_is_readable(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """What `portal/settings.py` could not make sense of; it went on with the default, so nothing may start."""
    return [
        Error(f"{variable}: {what}", hint=hint, id="gatehouse.E001")
        for variable, what, hint in settings.ENVIRONMENT_PROBLEMS
    ]


@register(TAG)
def django_has_a_secret_key(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if _secret_key():
        return []
    return [
        Error(
            "There is no secret key: sessions and tokens cannot be signed.",
            hint="Set SECRET_KEY to a long random text that no other installation has.",
            id="gatehouse.E002",
        )
    ]


@register(TAG)
def workers_have_a_key(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    hint = (
        "Set GATEHOUSE_WORKER_KEY to 32 random octets in base64, for example from `openssl rand -base64 32`. "
        "Keep it: what is locked to it opens with nothing else."
    )
    if not settings.WORKER_KEY and not settings.WORKER_PUBLIC_KEY:
        return [Error("Workers cannot open job secrets: they have no key.", hint=hint, id="gatehouse.E003")]
    if settings.WORKER_KEY and not _is_worker_key(settings.WORKER_KEY):
        return [Error("The workers' key is not one.", hint=hint, id="gatehouse.E004")]
    if settings.WORKER_PUBLIC_KEY and not _is_worker_public_key(settings.WORKER_PUBLIC_KEY):
        return [
            Error(
                "The workers' public key is not one, or not the one that belongs to GATEHOUSE_WORKER_KEY.",
                hint="Set GATEHOUSE_WORKER_PUBLIC_KEY to what `manage.py worker_public_key` prints where the workers run.",
                id="gatehouse.E018",
            )
        ]
    return []


@register(TAG)
def backups_have_a_key(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if not settings.RECOVERY_PUBLIC_KEY or _is_public_key(settings.RECOVERY_PUBLIC_KEY):
        return []
    return [
        Error(
            "The public recovery key is none, so nobody could open a backup.",
            hint="Set GATEHOUSE_RECOVERY_PUBLIC_KEY to what `manage.py new_recovery_key` prints, or leave it empty.",
            id="gatehouse.E029",
        )
    ]


@register(TAG)
def ports_differ(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    return [
        *_of_ports(LISTENED_ON, least=0, hint="Ports go from 1 to 65535; 0 takes any free one."),
        # The demo's are those listened on, which may be any free ones.
        *_of_ports(
            PUBLIC, least=0 if settings.DEMO or settings.MEASURING else 1, hint="Ports go from 1 to 65535."
        ),
    ]


def _of_ports(names: Sequence[str], *, least: int, hint: str) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    wanted_by: dict[int, list[str]] = defaultdict(list)
    for name in names:
        number = getattr(settings, name)
        variable = f"GATEHOUSE_{name}"
        if not least <= number <= 65535:
            found.append(Error(f"{variable} is {number}, which is no port.", hint=hint, id="gatehouse.E005"))
        elif number:
            wanted_by[number].append(variable)
    found += [
        Error(
            f"{' and '.join(variables)} are both {number}.",
            hint="Give each a port of its own.",
            id="gatehouse.E006",
        )
        for number, variables in wanted_by.items()
        if len(variables) > 1
    ]
    return found


@register(TAG)
def domains_are_names(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for name in ("BASE_DOMAIN", "MAIL_DOMAIN"):
        value = getattr(settings, name)
        if not is_domain(value):
            found.append(
                Error(
                    f"GATEHOUSE_{name} is {value!r}, which is no domain with a dot in it.",
                    hint=(
                        "Give the bare name in lower case, without scheme, port or path, such as portal.example.com. "
                        "A dot is needed because browsers refuse cookies for a name of one label."
                    ),
                    id="gatehouse.E007",
                )
            )
    if policy_host() == settings.BASE_DOMAIN:
        found.append(
            Error(
                f"GATEHOUSE_BASE_DOMAIN is {settings.BASE_DOMAIN}, where senders read the gateway's policy and nobody signs in.",
                hint="Give one of GATEHOUSE_BASE_DOMAIN and GATEHOUSE_MAIL_DOMAIN another name.",
                id="gatehouse.E030",
            )
        )
    return found


@register(TAG)
def shortcuts_stay_on_this_machine(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The demo's password is public, its secrets lie beside the data, its certificate is trusted by nobody; a short key is
    as good as public.
    """
    doors = {"GATEHOUSE_BIND": settings.BIND}
    if settings.HTTP_BIND != settings.BIND or not settings.DEMO:  # the demo has one for both
        doors["GATEHOUSE_HTTP_BIND"] = settings.HTTP_BIND
    opened = [f"{variable} is {bind}" for variable, bind in doors.items() if not is_loopback(bind)]
    if settings.BEHIND_PROXY:  # which stands open to all, and asks us on this machine
        opened.append("GATEHOUSE_BEHIND_PROXY is on")
    if not opened:
        return []
    shortcuts = {
        "gatehouse.E009": ("the demo with its public password", settings.DEMO, "Unset GATEHOUSE_DEMO."),
        "gatehouse.E010": (
            "secrets that the demo generated",
            _secrets_are_generated(),
            "Set SECRET_KEY and GATEHOUSE_WORKER_KEY in the environment.",
        ),
        "gatehouse.E011": (
            "the demo's self-signed certificate",
            not is_loopback(settings.BIND) and _certificate_is_the_demos(),
            "Set GATEHOUSE_TLS_CERT_FILE and GATEHOUSE_TLS_KEY_FILE to a certificate that clients trust.",
        ),
        "gatehouse.E012": ("debug pages, which show settings and data", settings.DEBUG, "Switch DEBUG off."),
        "gatehouse.E036": (
            "what a secret key signs that can be guessed",
            _can_be_guessed(_secret_key()),
            f"Set SECRET_KEY to {SECRET_KEY_MIN_LENGTH} random characters or more, for example from `openssl rand -base64 48`, "
            "and put the one of before into SECRET_KEY_FALLBACKS for as long as what it has signed is wanted.",
        ),
    }
    return [
        Error(f"{' and '.join(opened)}, so others can reach {what}.", hint=hint, id=number)
        for number, (what, used, hint) in shortcuts.items()
        if used
    ]


@register(TAG)
def tls_files_are_readable(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    files = {
        "GATEHOUSE_TLS_CERT_FILE": settings.TLS_CERT_FILE,
        "GATEHOUSE_TLS_KEY_FILE": settings.TLS_KEY_FILE,
    }
    named = {variable: Path(path) for variable, path in files.items() if path}
    if not named:
        return []  # as in most processes: the pair is the gateway's alone
    found: list[CheckMessage] = [
        Error(
            f"{variable} names no file that can be read: {why}.",
            hint="Name a PEM file that this process may read.",
            id="gatehouse.E013",
        )
        for variable, path in named.items()
        if (why := unreadable(path))
    ]
    found += [
        Error(
            f"{variable} is missing beside {', '.join(named)}.",
            hint="Certificate and key come as a pair.",
            id="gatehouse.E014",
        )
        for variable in files
        if variable not in named
    ]
    return found or _certificate_is_of_today(Path(named["GATEHOUSE_TLS_CERT_FILE"]))


def gateway_has_a_certificate() -> list[CheckMessage]:
    """For the doctor alone: the gateway says it by itself when it starts, and nobody else is given the pair."""
    if settings.TLS_CERT_FILE or settings.TLS_KEY_FILE:
        return []
    return [
        Warning(
            "There is no certificate, so the gateway does not start.",
            hint="Set GATEHOUSE_TLS_CERT_FILE and GATEHOUSE_TLS_KEY_FILE.",
            id="gatehouse.W001",
        )
    ]


def _certificate_is_of_today(file: Path) -> list[CheckMessage]:
    """The gateway starts all the same, and says so in its log: most senders take any certificate."""
    try:
        end = ends_soon(first_of(file))
    except BadCertificate:
        return []  # which the gateway says when it starts
    if end is None:
        return []
    return [
        Warning(
            f"The gateway's certificate ends at {end:%Y-%m-%d %H:%M} UTC, and no renewed one has come.",
            hint=f"See why {file} is not renewed.",
            id="gatehouse.W007",
        )
    ]


@register(TAG)
def identity_provider_authorities_are_readable(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    path = settings.IDENTITY_PROVIDER_CA_FILE
    why = unreadable(Path(path)) if path else ""
    if not why:
        return []
    return [
        Error(
            f"GATEHOUSE_IDP_CA_FILE names no file that can be read: {why}.",
            hint="Name a PEM file that this process may read, or leave it empty.",
            id="gatehouse.E019",
        )
    ]


def unreadable(path: Path) -> str:
    """Why it can't be read; empty if it can. Without its name: it may be a key, typed where its file should be named."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return "it is no file"
    except OSError as error:
        return error.strerror or "the system does not say why"
    return "" if os.access(path, os.R_OK) else "this process may not"


def is_domain(text: str) -> bool:
    """Whether it is a name with a dot, in lower case."""
    labels = text.split(".")
    return len(labels) > 1 and all(_LABEL.fullmatch(label) for label in labels)


def is_host(text: str) -> bool:
    """Whether it is a name in lower case, with or without a dot, or an address."""
    try:
        ipaddress.ip_address(text)
        return "%" not in text
    except ValueError:
        return all(_LABEL.fullmatch(label) for label in text.split("."))


def _can_be_guessed(key: str) -> bool:
    """By Django's rule (security.W009), which only warns."""
    return bool(key) and (
        len(key) < SECRET_KEY_MIN_LENGTH
        or len(set(key)) < SECRET_KEY_MIN_UNIQUE_CHARACTERS
        or key.startswith(SECRET_KEY_INSECURE_PREFIX)
    )


def _secret_key() -> str:
    try:
        return str(settings.SECRET_KEY)
    except ImproperlyConfigured:  # how Django says that it is empty
        return ""


def _is_worker_key(text: str) -> bool:
    try:
        octets = base64.b64decode(
            text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True
        )
    except (binascii.Error, ValueError):
        return False
    return len(octets) == WORKER_KEY_OCTETS


def _is_worker_public_key(text: str) -> bool:
    """Of the right length, and, where the private half is at hand, its other half."""
    if not _is_public_key(text):
        return False
    return not settings.WORKER_KEY or (
        base64.b64decode(text) == PrivateKey.from_text(settings.WORKER_KEY).public
    )


def _is_public_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == PUBLIC_KEY_OCTETS
    except (binascii.Error, ValueError):
        return False


def _secrets_are_generated() -> bool:
    try:
        generated = json.loads((Path(settings.STATE_DIR) / FILE_NAME).read_text())
    except (OSError, ValueError):
        return False
    used = {"SECRET_KEY": _secret_key(), "GATEHOUSE_WORKER_KEY": settings.WORKER_KEY}
    return any(value and value == generated.get(name) for name, value in used.items())


def _certificate_is_the_demos() -> bool:
    folder = Path(settings.STATE_DIR) / "tls"
    return any(
        path and Path(path).parent == folder for path in (settings.TLS_CERT_FILE, settings.TLS_KEY_FILE)
    )


@register(TAG)
def measuring_is_no_accident(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    if not settings.MEASURING:
        return []
    return [
        Warning(
            "The settings say that this installation is for measuring: anybody with a shell here may make customers by the "
            "thousand.",
            hint="Take GATEHOUSE_MEASURING out where people work.",
            id="gatehouse.W009",
        )
    ]
