"""The second factor, for all hosts and with its secrets encrypted."""

from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings


class MFAAdapter(DefaultMFAAdapter):
    """allauth, told that one passkey serves all hosts of the base domain."""

    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        return {"id": settings.BASE_DOMAIN, "name": "Gatehouse"}
