"""People's second factors in the tests: an authenticator app that ticks when told, and a passkey in software."""

import base64
import hashlib
import json
import re
import secrets
import struct
from dataclasses import dataclass, field
from html import unescape
from typing import Any
from urllib.parse import urlencode

from allauth.mfa.totp.internal import auth as totp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256

from tests.cast import PASSWORD

SECURITY = "/settings/security/"
LOGIN = "/accounts/login/"
CONFIRM = "/accounts/reauthenticate/"
CODE = "/accounts/2fa/authenticate/"
ACTIVATE = "/accounts/2fa/totp/activate/"
REMOVE_APP = "/accounts/2fa/totp/deactivate/"
CODES = "/accounts/2fa/recovery-codes/"
DOWNLOAD = f"{CODES}download/"
GENERATE = f"{CODES}generate/"
CONFIRM_BY_CODE = "/accounts/2fa/reauthenticate/"
CONFIRM_BY_PASSKEY = "/accounts/2fa/webauthn/reauthenticate/"
ADD_PASSKEY = "/accounts/2fa/webauthn/add/"
PASSKEY_LOGIN = "/accounts/2fa/webauthn/login/"


class Clock:
    """Ticks in half minutes, as authenticator apps do."""

    def __init__(self) -> None:
        self.counter = 50_000_000

    def tick(self) -> None:
        self.counter += 1

    def code(self, secret: str) -> str:
        return totp.format_hotp_value(totp.hotp_value(secret, self.counter))


def sign_in(client: Any, email: str, **more: Any) -> Any:
    return client.post(LOGIN, {"login": email, "password": PASSWORD, **more})


def half_way(client_for: Any, cast: Any, host: str | None = "acme", **more: Any) -> Any:
    """Somebody who has given the right password and is asked for the code."""
    client = client_for(host=host)
    assert sign_in(client, cast.admin.email, **more)["Location"] == CODE
    return client


def is_signed_in(client: Any) -> bool:
    return "_auth_user_id" in client.session


def confirms(client: Any, **more: Any) -> Any:
    return client.post(CONFIRM, {"password": PASSWORD, **more})


def asked_to_confirm(path: str) -> str:
    """Where people are led who want to go to the path."""
    return f"{CONFIRM}?{urlencode({'next': path})}"


def shown_secret(page: str) -> str:
    found = re.search(r'id="totp-secret"[^>]*>([A-Z2-7 ]+)<', page)
    assert found
    return found[1].replace(" ", "")


def shown_codes(page: str) -> list[str]:
    return re.findall(r"^(?:.*>)?(\d{4} \d{4})$", page.replace("</pre>", "\n"), re.MULTILINE)


def sets_up_an_app(client: Any, clock: Clock) -> str:
    """By somebody who is signed in; gives the secret. The code that switched it on is used up."""
    confirms(client)
    secret = shown_secret(client.get(ACTIVATE).content.decode())
    answer = client.post(ACTIVATE, {"code": clock.code(secret)})
    assert answer["Location"] == CODES
    clock.tick()
    return secret


def options_in(page: str) -> dict[str, Any]:
    found = re.search(r'<script id="passkey_data"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found
    data: dict[str, Any] = json.loads(unescape(found[1]))
    return next(iter(data.values()))["publicKey"]


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Passkey:
    """What a phone or security key does, with its honesty as an option: which page asks, and who has opened it."""

    origin: str = "http://portal.localhost"
    verifies: bool = True
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    user: str = ""
    counts: bool = True  # its answers, as security keys do; passkeys in the cloud say 0 for ever
    counter: int = 0

    def create(self, options: dict[str, Any]) -> str:
        self.user = options["user"]["id"]
        public = cbor.encode(ES256.from_cryptography_key(self.key.public_key()))
        credential = bytes(16) + struct.pack(">H", len(self.id)) + self.id + public
        attestation = {
            "fmt": "none",
            "attStmt": {},
            "authData": self._about(options["rp"]["id"], attested=True) + credential,
        }
        response = {
            "clientDataJSON": b64(self._client("webauthn.create", options)),
            "attestationObject": b64(cbor.encode(attestation)),
        }
        return self._answer(response, {"credProps": {"rk": True}})

    def get(self, options: dict[str, Any]) -> str:
        client = self._client("webauthn.get", options)
        about = self._about(options["rpId"])
        signed = self.key.sign(about + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": b64(client),
            "authenticatorData": b64(about),
            "signature": b64(signed),
            "userHandle": self.user,
        }
        return self._answer(response, {})

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        return json.dumps(
            {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        ).encode()

    def _about(self, rp_id: str, *, attested: bool = False) -> bytes:
        flags = 0x01 | (0x04 if self.verifies else 0) | (0x40 if attested else 0)
        self.counter += self.counts
        return hashlib.sha256(rp_id.encode()).digest() + struct.pack(">BI", flags, self.counter)

    def _answer(self, response: dict[str, str], extensions: dict[str, Any]) -> str:
        return json.dumps(
            {
                "type": "public-key",
                "id": b64(self.id),
                "rawId": b64(self.id),
                "response": response,
                "clientExtensionResults": extensions,
            }
        )


def adds_a_passkey(client: Any, passkey: Passkey, name: str = "Lena's laptop") -> Any:
    """By somebody who is signed in and has just confirmed it."""
    options = options_in(client.get(ADD_PASSKEY).content.decode())
    return client.post(ADD_PASSKEY, {"name": name, "credential": passkey.create(options)})


def asks_for_a_passkey(client: Any) -> dict[str, Any]:
    """As the sign-in page does."""
    answer = client.get(PASSKEY_LOGIN, headers={"accept": "application/json"})
    return answer.json()["request_options"]["publicKey"]


def signs_in_with(client: Any, passkey: Passkey, **more: Any) -> Any:
    return client.post(PASSKEY_LOGIN, {"credential": passkey.get(asks_for_a_passkey(client)), **more})
