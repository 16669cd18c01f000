"""Our portal as the tests of sign-in by OpenID Connect use it. A plugin: fixtures for whoever imports them."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client

from tenants import identity
from tenants.identity import domains
from tenants.services import consent_to_identity_provider
from tests.accounts.openid.kit import CLIENT_ID, CLIENT_SECRET, START, OpenIDProvider, callback
from tests.accounts.openid.names import NameServer
from tests.cast import customer, provider


def configuration(openid: OpenIDProvider, *domains: str, **more: Any) -> identity.Configuration:
    return identity.Configuration(
        **{
            "kind": "oidc",
            "issuer": openid.issuer,
            "tenant": "",
            "client_id": CLIENT_ID,
            "email_domains": domains,
        }
        | more
    )


@pytest.fixture(scope="session")
def openid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIDProvider]:
    running = OpenIDProvider(tmp_path_factory.mktemp("openid"))
    running.knows_client(callback("northwind"), callback("fabrikam"))
    yield running
    running.stop()


@pytest.fixture
def playground(settings: Any) -> None:
    """HTTP on loopback is used nowhere else."""
    settings.DEMO = True


@pytest.fixture(scope="session")
def name_server() -> Iterator[NameServer]:
    running = NameServer()
    yield running
    running.stop()


@pytest.fixture
def proves(name_server: NameServer, settings: Any) -> Callable[..., None]:
    """Publishes the records of all domains of an identity provider, and lets its owner check them."""
    settings.DNS_SERVER = name_server.address
    name_server.records.clear()

    def publish(identity_provider: Any, by: Any) -> Any:
        for domain in identity_provider.email_domains:
            name, text = domains.record_of(identity_provider.provider, domain)
            name_server.records[name] = text
            identity.prove(identity_provider, domain, by=by)
        return identity_provider

    return publish


@pytest.fixture
def northwinds(playground: None, proves: Any, cast: Any, openid: OpenIDProvider) -> Any:
    """Northwind's identity provider, which speaks for Northwind's and Acme's domains."""
    wanted = configuration(openid, "northwind.example", "acme.example")
    made = identity.set_up(provider("northwind"), wanted, client_secret=CLIENT_SECRET, by=cast.owner)
    consent_to_identity_provider(customer("acme"), given=True, service=made.service, by=cast.admin)
    return proves(made, cast.owner)


@pytest.fixture
def fabrikams(playground: None, proves: Any, cast: Any, openid: OpenIDProvider) -> Any:
    wanted = configuration(openid, "fabrikam.example")
    made = identity.set_up(provider("fabrikam"), wanted, client_secret=CLIENT_SECRET, by=cast.rival)
    return proves(made, cast.rival)


@pytest.fixture
def typed(openid: OpenIDProvider, playground: None) -> dict[str, str]:
    """What an owner types on the page."""
    return {
        "kind": "oidc",
        "issuer": openid.issuer,
        "tenant": "",
        "client_id": "gatehouse",
        "client_secret": CLIENT_SECRET,
        "email_domains": "northwind.example\n@Acme.example",
    }


class WayIn:
    """One browser's way through our sign-in and theirs."""

    def __init__(self, client: Client, openid: OpenIDProvider) -> None:
        self.client, self.openid = client, openid

    def start(self, email: str, next_url: str = "") -> Any:
        return self.client.post(START, {"login": email, "next": next_url})

    def authorization(self, email: str, next_url: str = "") -> str:
        """Where the page after our form leads."""
        answer = self.start(email, next_url)
        assert answer.status_code == 200, answer
        url = answer["Refresh"].removeprefix("0; url=")
        link = re.search(r'href="(http[^"]+)" rel="noreferrer"', answer.content.decode())
        assert link
        assert unescape(link[1]) == url
        return url

    def back(self, url: str) -> Any:
        parts = urlsplit(url)
        return self.client.get(f"{parts.path}?{parts.query}")

    def signs_in(self, email: str, *, there_as: str = "", next_url: str = "") -> Any:
        return self.back(self.openid.signs_in(self.authorization(email, next_url), there_as or email))

    @property
    def is_signed_in(self) -> bool:
        return "_auth_user_id" in self.client.session


@pytest.fixture
def way_in(client_for: Callable[..., Client], openid: OpenIDProvider) -> Callable[..., WayIn]:
    return lambda host=None: WayIn(client_for(host=host), openid)
