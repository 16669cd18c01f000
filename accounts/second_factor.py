"""Who has a second factor, and which ones."""

from dataclasses import dataclass
from typing import Any

from allauth.mfa import app_settings
from allauth.mfa.models import Authenticator

# Recovery codes only stand in for one of these.
FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)
ADDED, REMOVED, MADE = "added", "removed", "made"  # what becomes of one; codes are only made
FEW_CODES = 3  # time to make new ones


@dataclass(frozen=True)
class Overview:
    """What a person has set up, for their own eyes."""

    app: Authenticator | None
    passkeys: list[Authenticator]
    codes: Authenticator | None

    @property
    def is_on(self) -> bool:
        return bool(self.app or self.passkeys)

    @property
    def codes_left(self) -> int:
        """Counted by the marks of the used ones, so that the page needs no secret."""
        if self.codes is None:
            return 0
        return app_settings.RECOVERY_CODE_COUNT - int(self.codes.data["used_mask"]).bit_count()

    @property
    def codes_run_out(self) -> bool:
        return self.codes_left < FEW_CODES


def has_second_factor(user: Any) -> bool:
    """Whether signing in takes more than a password: an authenticator app or a passkey is set up."""
    return Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists()


def overview_of(user: Any) -> Overview:
    found = list(Authenticator.objects.filter(user_id=user.pk).order_by("created_at", "pk"))
    of_type = {kind: [one for one in found if one.type == kind] for kind in Authenticator.Type}
    return Overview(
        app=next(iter(of_type[Authenticator.Type.TOTP]), None),
        passkeys=of_type[Authenticator.Type.WEBAUTHN],
        codes=next(iter(of_type[Authenticator.Type.RECOVERY_CODES]), None),
    )
