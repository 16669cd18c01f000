"""The frame around every page, which leads to one's own settings."""

import re

import pytest
from django.template.loader import render_to_string

SETTINGS = "/settings/"
HOSTS = ["acme", None]


@pytest.mark.parametrize("host", HOSTS)
def test_the_menu_leads_to_settings_and_out(cast, client_for, host):
    page = client_for(cast.owner, host=host).get("/mailboxes/" if host else "/customers/").content.decode()
    menu = re.search(r'<details class="menu end person">.*?</details>', page, re.S)[0]
    assert cast.owner.get_display_name() in menu
    assert f'href="{SETTINGS}' in menu
    assert re.search(r'<form method="post" action="/accounts/logout/">.*?<button type="submit">', menu, re.S)


@pytest.mark.parametrize("host", HOSTS)
def test_nobody_has_no_menu(cast, client_for, host):
    assert "Sign out" not in client_for(host=host).get("/accounts/login/").content.decode()


LOST = ["400", "403", "403_csrf", "404", "413", "429", "500", "503", "busy", "refused", "signin/two_sessions"]
BEFORE_SIGN_IN = [
    "/accounts/login/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/2fa/webauthn/login/",
    "/accounts/inactive/",
]


@pytest.mark.parametrize("name", LOST)
def test_what_went_wrong_is_told_without_request_and_database(name):
    page = render_to_string(f"{name}.html")  # the database would refuse: this test has none
    assert re.search(r"<h1>\s*\S", page)
    assert re.search(r'<a class="button[^"]*"\s+href="/">', page)


def test_what_is_not_there_leaves_who_is_signed_in_in_the_frame_and_tells_others_nothing(cast, client_for):
    assert 'id="rail"' in client_for(cast.admin).get("/mailboxes/nowhere/").content.decode()
    page = client_for(cast.owner, None).get("/nowhere/").content.decode()
    assert 'id="rail"' in page and "There is no such page" in page


@pytest.mark.parametrize("path", BEFORE_SIGN_IN)
def test_the_door_names_no_customer_and_no_provider(cast, acme, client_for, path):
    page = client_for().get(path).content.decode()
    assert '<div class="door">' in page
    assert acme.name not in page.replace("acme.portal", "") and acme.provider.name not in page
