"""The frame around every page, which leads to one's own settings."""

import re

import pytest

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
