"""A phone or laptop that can keep passkeys, as Chromium plays it."""

from typing import Any

OPTIONS = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Device:
    """Its owner says yes, or no."""

    def __init__(self, visitor: Any) -> None:
        self._wire = visitor.context.new_cdp_session(visitor.page)
        self._wire.send("WebAuthn.enable")
        added = self._wire.send("WebAuthn.addVirtualAuthenticator", {"options": OPTIONS})
        self._id = added["authenticatorId"]

    def knows_its_owner(self, yes: bool) -> None:
        self._wire.send("WebAuthn.setUserVerified", {"authenticatorId": self._id, "isUserVerified": yes})

    def passkeys(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._wire.send(
            "WebAuthn.getCredentials", {"authenticatorId": self._id}
        )["credentials"]
        return found
