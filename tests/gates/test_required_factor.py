"""Where a second factor is required, nothing else opens before it is there."""

from uuid import UUID

import pytest
from django.urls import resolve

from accounts.models import User
from tenants.models import Provider
from tests.accounts.factors import (
    ACTIVATE,
    ADD_PASSKEY,
    CONFIRM,
    LOGIN,
    REMOVE_APP,
    SECURITY,
    asked_to_confirm,
    confirms,
    is_signed_in,
    sets_up_an_app,
    sign_in,
)
from tests.cast import PASSWORD
from tests.pages import read, text_of
from tests.wall.routes import CONFS, routes

# What it takes to set one up, to read the page in one's own language, or to leave. All else is shut.
OPEN = {
    "security",
    "mfa_activate_totp",
    "mfa_add_webauthn",
    "account_reauthenticate",
    "organization_sign_in",
    "openid_connect_callback",
    "settings",
    "account_logout",
}
# What fits into the places of URLs in which not everything does.
VALUES = {"<uuid:pk>": str(UUID(int=1)), "<whose>": "all", "<app_label>": "tenants"}

pytestmark = pytest.mark.usefixtures("required")


@pytest.fixture
def required(cast):
    Provider.objects.filter(slug="northwind").update(require_second_factor=True)


@pytest.mark.parametrize("host", CONFS)
def test_nothing_else_opens_before_a_required_factor_is_there(cast, client_for, host):
    opened = set()
    browser = client_for(cast.owner, host=None if host == "base" else "acme")
    for route in routes(host):
        path = route.filled(*(VALUES.get(place, "1") for place in route.places))
        assert resolve(path, CONFS[host]).func is route.pattern.callback, path
        if any(ask(path).get("Location") != SECURITY for ask in (browser.get, browser.post)):
            opened.add(route.name)
            browser.force_login(cast.owner)  # who may just have left
    assert opened == OPEN


@pytest.mark.parametrize("path", ["/", "/mailboxes/", "/settings/password/", "/activity/"])
def test_the_same_holds_for_all_people_of_the_provider_and_of_its_customers(cast, client_for, path):
    for person in (cast.auditor, cast.admin):
        assert client_for(person).get(path)["Location"] == SECURITY
    assert client_for(cast.auditor, host=None).get("/customers/")["Location"] == SECURITY


def test_htmx_leaves_the_page_instead_of_putting_another_into_it(cast, client_for):
    answer = client_for(cast.admin).get("/mailboxes/", headers={"hx-request": "true"})
    assert (answer["HX-Refresh"], answer.content) == ("true", b"")


def test_the_page_says_who_requires_it_and_lets_people_add_one_or_leave(cast, client_for, clock):
    client = client_for()
    sign_in(client, cast.admin.email)
    page = client.get(SECURITY).content.decode()
    assert "Northwind IT requires a second factor" in page
    for path in (ACTIVATE, ADD_PASSKEY):
        assert client.get(path)["Location"] == asked_to_confirm(path)
    assert client.get(CONFIRM).status_code == 200
    sets_up_an_app(client, clock)
    assert "requires a second factor" not in client.get(SECURITY).content.decode()
    assert client.get("/mailboxes/").status_code == 200
    other = client_for(cast.viewer)
    assert other.post("/accounts/logout/")["Location"] == LOGIN
    assert not is_signed_in(other)


@pytest.mark.parametrize("path", [SECURITY, "/settings/"])
@pytest.mark.parametrize("who", ["owner", "admin"])
def test_what_is_open_leads_to_nothing_that_is_shut(cast, client_for, who, path):
    User.objects.update(is_staff=True)  # they have the most ways to go
    client = client_for(getattr(cast, who), host=None)
    page = client.get(path)
    links = read(page).xpath("//main//a/@href | //details[contains(@class, 'person')]//a/@href")
    assert links
    led = {link: client.get(link) for link in links if link != "/"}
    assert [link for link, answer in led.items() if answer.get("Location") == SECURITY] == []
    if path != SECURITY:
        assert "You can change it as soon as you have a second factor." in text_of(read(page))


@pytest.mark.parametrize("path", [SECURITY, "/settings/"])
def test_neither_rail_nor_search_is_offered_meanwhile(cast, client_for, path):
    page = read(client_for(cast.owner, host=None).get(path))
    assert not page.xpath("//*[@id='rail' or @popovertarget='rail' or @role='search' or @type='search']")


def test_the_language_can_be_chosen_meanwhile(cast, client_for):
    client = client_for(cast.admin)
    client.post("/settings/", {"language": "de", "theme": "system"})
    assert '<html lang="de"' in client.get(SECURITY).content.decode()


def test_who_removes_the_last_factor_is_asked_for_another(with_app, cast, client_for):
    client = client_for(cast.admin)
    assert client.get("/mailboxes/").status_code == 200
    confirms(client)
    client.post(REMOVE_APP)
    assert client.get("/mailboxes/")["Location"] == SECURITY


def test_the_requirement_is_that_providers_alone(cast, client_for):
    assert client_for(cast.rival, host=None).get("/customers/").status_code == 200
    assert client_for(cast.rival, host="initech").get("/mailboxes/").status_code == 200
    assert client_for(cast.staff, host=None).get("/admin/").status_code == 200


def test_strangers_on_a_customers_host_learn_nothing_of_it(cast, client_for):
    for path in ("/mailboxes/", SECURITY, "/no/such/page/"):
        assert client_for(cast.mallory, host="acme").get(path).status_code == 404
    assert client_for(host="acme").get("/mailboxes/")["Location"].startswith(LOGIN)


def test_the_password_is_not_asked_for_what_is_shut(cast, client_for):
    client = client_for(cast.admin)
    assert confirms(client, next="/mailboxes/")["Location"] == "/mailboxes/"
    assert client.get("/mailboxes/")["Location"] == SECURITY
    assert PASSWORD not in client.get(SECURITY).content.decode()
