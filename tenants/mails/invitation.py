"""The mail that asks somebody in, with the link that lets them."""

from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from accounts import mails
from accounts.actors import Actor
from accounts.models import User
from tenants.models import Invitation


def send(invitation: Invitation, secret: str, *, known: User | None, by: Actor, **told: Any) -> None:
    """In the reader's language, or for newcomers in that of who invites them; whichever host that person is on, the link
    leads to the base host. `told` is where they are asked to come, and to which customers.

    Raises what mails.send() does.
    """
    reader = known or User(email=invitation.email, language=translation.get_language() or "")
    path = reverse("invitation", args=[secret], urlconf=settings.PUBLIC_SCHEMA_URLCONF)
    facts = {"invitation": invitation, "by": by, "known": known is not None}
    link = {"link": mails.portal_url(path), "verb": _("Accept the invitation")}
    mails.send(reader, "tenants/email/invitation", {**facts, **link, **told})
