"""Mails to people, in their language, with times as on their clock: plain text, and the same as HTML."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.header import Header
from email.mime.image import MIMEImage
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.text import wrap
from django.utils.translation import gettext

from accounts.addresses import mailed_to
from accounts.mails import letterhead as letterheads
from accounts.mails.letterhead import Letterhead
from accounts.mails.markup import LOGO, html_of
from accounts.models import User
from accounts.zones import zone_of

COLUMNS = 72  # what plain text is read best at; addresses of pages are never broken
GAP = re.compile(r"(?:[ \t]*\n){3,}")  # what blocks of templates leave between paragraphs


class Unmailable(Exception):
    """To this address no mail can be made, now as little as in an hour. An earlier release took some."""


class Mail(EmailMultiAlternatives):
    """Its subject begins on the line of the header's name. What is attached belongs to its HTML part."""

    mixed_subtype = "related"

    def message(self, *args: Any, **options: Any) -> Any:
        # Django encodes a subject as if nothing stood before it, so that a long one has to begin with a fold.
        message = super().message(*args, **options)
        subject = str(self.subject)
        if not subject.isascii():
            words = Header(subject, "utf-8", header_name="Subject").encode().split()
            del message["Subject"]
            message["Subject"] = " ".join(words)
        return message


def portal_url(path: str = "/") -> str:
    """An address on the operators' host, where everybody can sign in.

    As the settings name it: what a request says about its host counts for nothing in a mail.
    """
    if settings.SECURE_COOKIES:  # behind a proxy that speaks TLS at the usual port
        return f"https://{settings.BASE_DOMAIN}{path}"
    port = "" if settings.HTTP_PORT == 80 else f":{settings.HTTP_PORT}"
    return f"http://{settings.BASE_DOMAIN}{port}{path}"


@contextmanager
def speaking_to(user: User, *, otherwise: str = "") -> Iterator[None]:
    """What is rendered inside is in that person's language and time zone, whoever acts. Who has chosen no language is
    spoken to in the one whose code is `otherwise`, if we have it, else in English.
    """
    fallback = otherwise if otherwise in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    with translation.override(user.language or fallback), timezone.override(zone_of(user)):
        yield


def compose(
    user: User,
    template: str,
    context: dict[str, Any],
    *,
    to: str = "",
    language: str = "",
    letterhead: Letterhead | None = None,
) -> Mail:
    """The mail whose subject stands in `<template>_subject.txt` and whose text stands in `<template>_message.txt`.

    Its HTML part is made of the text; what the button of `link` does is its `verb`. It goes to the person's address, or
    `to` another that was theirs. `language` is for who has chosen none, `letterhead` for a mail that is about somewhere else
    than where the person belongs, or to who belongs nowhere yet.
    """
    letterhead = letterhead or letterheads.of(user)
    with speaking_to(user, otherwise=language):
        known = {
            "user": user,
            "portal_url": portal_url(),
            "letterhead": letterhead,
            "sessions_url": portal_url(reverse("sessions")),
            "forgotten_url": portal_url(reverse("account_reset_password")),
            **context,
        }
        subject = " ".join(render_to_string(f"{template}_subject.txt", known).split())
        text = GAP.sub("\n\n", render_to_string(f"{template}_message.txt", known).strip())
        verbs = {
            known["forgotten_url"]: gettext("Choose a new password"),
            known["sessions_url"]: gettext("End all sessions"),
            known.get("link", ""): str(known.get("verb", "")),
        }
        html = html_of(text, subject=subject, home=portal_url(), verbs=verbs, letterhead=letterhead)
    mail = Mail(
        subject,
        wrap(text, COLUMNS) + "\n",
        to=[to or user.email],
        headers={"Auto-Submitted": "auto-generated"},  # so that no absence note answers it
    )
    mail.attach_alternative(html, "text/html")
    if letterhead and letterhead.logo:
        picture = MIMEImage(letterhead.logo.octets, "png")
        picture.add_header("Content-ID", f"<{LOGO}>")
        picture.add_header("Content-Disposition", "inline", filename="logo.png")
        mail.attach(picture)
    return mail


def send(
    user: User,
    template: str,
    context: dict[str, Any],
    *,
    to: str = "",
    language: str = "",
    letterhead: Letterhead | None = None,
) -> None:
    """Raises OSError or smtplib.SMTPException when the mail server does not take it, Unmailable when none can be asked."""
    if not mailed_to(to or user.email):
        raise Unmailable
    compose(user, template, context, to=to, language=language, letterhead=letterhead).send()
