"""The mail that asks somebody in, with the link that lets them."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts import mails
from accounts.actors import Actor
from accounts.models import User
from tenants.mails.letterhead import letterhead_at
from tenants.models import Customer, Invitation, Provider


def send(
    invitation: Invitation,
    secret: str,
    *,
    place: Provider | Customer,
    known: User | None,
    by: Actor,
    **told: Any,
) -> None:
    """In the reader's language, or for newcomers in that of the customer, or else of who invites them; whichever host that
    person is on, the link leads to the base host. `told` is to which customers of the `place` they are asked to come.

    Raises what mails.send() does.
    """
    language, zone = (place.language, place.time_zone) if isinstance(place, Customer) else ("", "")
    language = language or translation.get_language() or ""
    reader = known or User(email=invitation.email, language=language, time_zone=zone)
    path = reverse("invitation", args=[secret], urlconf=settings.PUBLIC_SCHEMA_URLCONF)
    facts = {
        "invitation": invitation,
        "place": place.get_mail_name(),
        "by": by,
        "known": known is not None,
    }
    link = {"link": mails.portal_url(path), "verb": _("Accept the invitation")}
    mails.send(
        reader,
        "tenants/email/invitation",
        {**facts, **link, **told},
        letterhead=letterhead_at(place),
    )
