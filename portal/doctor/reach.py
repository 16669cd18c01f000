"""The way that mail takes to a mailbox, gone as a sender goes it: name, port, certificate, reply.

It asks DNS for the installation's own mail domain and connects to nothing but that, at the port of senders; what stands in
an address decides neither. What it finds is words of one code each, for the console says them in the reader's language.
"""

import smtplib
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime, make_msgid
from typing import Any

from cryptography import x509
from django.conf import settings

from gateway.tls import ends_soon
from tenants.identity.domains import NoAnswer

from . import zone
from .findings import told
from .ports import SECONDS, Unlike, served_at, start_tls

ADDRESSES = 3  # of a name that are tried
ALL_SECONDS = 20.0
HELLO = "reach-test.invalid"
LOCAL = ".localhost"  # names below lead to this machine (RFC 6761, 6.3), and stand in no DNS

Found = dict[str, Any]


def look(address: str, *, with_message: bool) -> list[Found]:
    """What was found, step by step, as far as one leads to the next. Takes about ALL_SECONDS at most, and raises nothing that
    the other side can cause. `ok` is None for what is worth knowing and stops no mail.
    """
    deadline = time.monotonic() + ALL_SECONDS
    found: list[Found] = []
    places: list[str] = []
    for finding in _name(address, places):
        found.append(finding)
    reached = ""
    for place in places[:ADDRESSES]:
        if time.monotonic() > deadline:
            break
        answered, findings = _port(place)
        found += findings
        reached = reached or (place if answered else "")
    if reached:
        found += _reply(reached, address, with_message=with_message)
    return found


def _found(step: str, code: str, ok: bool | None, **more: Any) -> Found:
    return {"step": step, "code": code, "ok": ok, **more}


def _name(address: str, places: list[str]) -> Iterator[Found]:
    """Where senders find the gateway; adds to `places` what they find."""
    names = zone.Names()
    mail = settings.MAIL_DOMAIN
    domain = address.rpartition("@")[2]
    if domain != mail:
        yield _found("name", "other-domain", False, domain=domain, mail=mail)
        return
    if mail.endswith(LOCAL):
        places.append(settings.BIND)
        yield _found("name", "this-machine", True, mail=mail)
        return
    try:
        exchangers = [str(record.exchange).rstrip(".").lower() for record in names.ask(mail, "MX")]
        places += names.addresses(mail)
    except NoAnswer as error:
        yield _found("name", "no-answer", False, mail=mail, why=str(error))
        return
    if elsewhere := [name for name in exchangers if name != mail]:
        yield _found("name", "elsewhere", False, mail=mail, name=", ".join(elsewhere))
    if not places:
        yield _found("name", "no-address", False, mail=mail)
    else:
        yield _found("name", "found", True, mail=mail, address=", ".join(places[:ADDRESSES]))


def _port(place: str) -> tuple[bool, list[Found]]:
    port = settings.PUBLIC_SMTP_PORT
    at = {"address": place, "port": port}
    try:
        served = served_at(start_tls, place, port, settings.MAIL_DOMAIN)
    except Unlike as error:
        return True, [_found("port", "no-tls", None, why=told(error), **at)]
    except (OSError, ValueError, smtplib.SMTPException) as error:
        return False, [_found("port", "silent", False, why=told(error), **at)]
    end = x509.load_der_x509_certificate(served.own).not_valid_after_utc
    shown = {"until": end.isoformat(), **at}
    if served.trouble:
        certificate = _found("certificate", "untrusted", None, why=served.trouble, **shown)
    elif ends_soon(served.own):
        certificate = _found("certificate", "ends-soon", None, **shown)
    else:
        certificate = _found("certificate", "trusted", True, **shown)
    return True, [_found("port", "answers", True, **at), certificate]


def _reply(place: str, address: str, *, with_message: bool) -> list[Found]:
    """What a sender is told, over TLS that trusts anybody, as most senders do."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    found: list[Found] = []
    try:
        with smtplib.SMTP(place, settings.PUBLIC_SMTP_PORT, local_hostname=HELLO, timeout=SECONDS) as client:
            client.ehlo()
            if client.has_extn("starttls"):
                client.starttls(context=context)
                client.ehlo()
            client.mail("")
            found.append(_answer("reply", *client.rcpt(address)))
            if found[0]["ok"] and with_message:
                found.append(_answer("message", *client.data(_message(address))))
    except smtplib.SMTPResponseException as error:
        found.append(_answer("message" if found else "reply", error.smtp_code, error.smtp_error))
    except (OSError, smtplib.SMTPException) as error:
        found.append(_found("reply", "broken-off", False, why=told(error)))
    return found


def _answer(step: str, code: int, said: bytes | str) -> Found:
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    status = text.split(" ", 1)[0]
    verdict = "taken" if code < 300 else "put-off" if code < 500 else "refused"
    return _found(step, verdict, code < 300, reply=f"{code} {status}"[:20], why=told(Exception(text)))


def _message(address: str) -> bytes:
    mail = settings.MAIL_DOMAIN
    return (
        f"From: Gatehouse <postmaster@{mail}>\r\nTo: <{address}>\r\nSubject: Test message of Gatehouse\r\n"
        f"Date: {format_datetime(datetime.now(UTC))}\r\nMessage-ID: {make_msgid(domain=mail)}\r\n"
        "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n"
        "Somebody has tested the way to this mailbox. This message may be deleted.\r\n"
    ).encode()
