"""The OpenID provider as tests use it: a process, people in it, and a browser without a screen."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests

from tests.environment import BARE
from tests.tenants.kit import text

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "the organization's own password"
CLIENT_ID, CLIENT_SECRET = "gatehouse", "a-secret-between-two-sites"
START = "/accounts/organization/"
PAGE = "/team/identity-provider/"
OWNER = "operator@northwind.example"
ADMIN = "admin@acme.example"


def callback(slug: str, host: str = "portal.localhost") -> str:
    """What is registered there."""
    return f"http://{host}/accounts/oidc/{slug}/login/callback/"


def is_refused(answer: Any, visitor: Any, words: str, status: int = 403) -> bool:
    return answer.status_code == status and words in text(answer) and not visitor.is_signed_in


def with_an_app(user: Any) -> None:
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

    TOTP.activate(user, generate_totp_secret())


class OpenIDProvider:
    """allauth's identity provider, in a process of its own, by HTTP on loopback."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        environment = {
            **BARE,
            "PYTHONPATH": str(ROOT),
            "OPENID_DATABASE": str(folder / "openid.sqlite3"),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.accounts.openid.serve"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()  # blocks until it serves; pytest-timeout is the deadline
        assert line, "the OpenID provider did not start"
        self.port = int(line)
        self.issuer = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()

    def knows_client(self, *callbacks: str, client_id: str = CLIENT_ID, secret: str = CLIENT_SECRET) -> None:
        self._tell("client", {"id": client_id, "secret": secret, "redirect_uris": callbacks})

    def knows(self, email: str, **said: Any) -> None:
        """A person there. `said` is what it says of them besides the truth."""
        self._tell("person", {"email": email, "password": PASSWORD, "said": said})

    def signs_in(self, url: str, email: str) -> str:
        """Go where we were sent, sign in there, and follow up to the first address that isn't the provider's."""
        with requests.Session() as browser:
            browser.trust_env = False
            page = browser.get(url, timeout=10)
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
            assert token, page.text
            form = {"username": email, "password": PASSWORD, "csrfmiddlewaretoken": token[1]}
            answer = browser.post(page.url, data=form, allow_redirects=False, timeout=10)
            while answer.is_redirect:
                there = urljoin(answer.url, answer.headers["Location"])
                if urlsplit(there).port != self.port:
                    return there
                answer = browser.get(there, allow_redirects=False, timeout=10)
        raise AssertionError(f"{answer.status_code} {answer.text}")

    def _tell(self, what: str, content: dict[str, Any]) -> None:
        requests.post(f"{self.issuer}/told/{what}/", json=content, timeout=10).raise_for_status()
