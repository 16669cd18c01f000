"""The second factor, for all hosts and with its secrets encrypted."""

import logging
from io import BytesIO

import qrcode  # type: ignore[import-untyped]
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from qrcode.image.svg import SvgPathFillImage  # type: ignore[import-untyped]

from accounts.encryption import cipher

log = logging.getLogger(__name__)

# A change makes every stored secret unreadable.
KEY_LABEL = "gatehouse second factor secrets, version 1"


class MFAAdapter(DefaultMFAAdapter):
    """allauth, told that one passkey serves all hosts of the base domain, and what to encrypt secrets with."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": gettext_lazy(
            "This code is wrong, was used before or is no longer valid. Try the next one."
        ),
        "cannot_generate_recovery_codes": gettext_lazy(
            "Recovery codes stand in for an authenticator app or a passkey. Set one of them up first."
        ),
    }

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": settings.BASE_DOMAIN, "name": "Gatehouse"}

    def generate_authenticator_name(self, user: AbstractBaseUser, type: str) -> str:
        count = Authenticator.objects.filter(user_id=user.pk, type=type).count()
        return _("Passkey %(number)s") % {"number": count + 1}

    def build_totp_svg(self, url: str) -> str:
        """With a ground of its own: without one, nobody could scan it on a dark page."""
        image = BytesIO()
        qrcode.make(url, image_factory=SvgPathFillImage).save(image)
        return image.getvalue().decode()

    def encrypt(self, text: str) -> str:
        return cipher(KEY_LABEL).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raises ValidationError, which forms show, when SECRET_KEY and its fallbacks are all others than then."""
        try:
            return cipher(KEY_LABEL).decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            log.error("a second factor is unreadable: its SECRET_KEY is missing in SECRET_KEY_FALLBACKS")
            raise ValidationError(
                _(
                    "The portal can't check codes of your second factor at present. Tell the platform's staff."
                ),
                code="unreadable_second_factor",
            ) from None
