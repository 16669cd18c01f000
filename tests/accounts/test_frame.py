"""A person's own settings, and the frame around every page that leads there."""

import re

import pytest

from accounts.models import User

SETTINGS = "/settings/"
HOSTS = ["acme", None]


def language_of(page):
    return re.search(r'<html lang="([^"]*)"\s+dir="([^"]*)"', page.content.decode())[1]


@pytest.mark.parametrize("host", HOSTS)
def test_name_and_language_are_saved_and_show_at_once(cast, client_for, host):
    client = client_for(cast.admin, host=host)
    before = client.get(SETTINGS)
    assert language_of(before) == "en"
    after = client.post(SETTINGS, {"name": "Ada Admin", "language": "de"}, follow=True)
    assert after.redirect_chain == [(SETTINGS, 302)]
    assert language_of(after) == "de"
    assert "Ada Admin" in after.content.decode()
    assert after.content.decode().count('class="notice success"') == 1
    person = User.objects.get(pk=cast.admin.pk)
    assert (person.name, person.language) == ("Ada Admin", "de")
    for other in HOSTS:
        assert language_of(client_for(person, host=other).get(SETTINGS)) == "de"


def test_the_browser_chooses_for_who_has_not_chosen(cast, client_for):
    client = client_for(cast.admin)
    assert language_of(client.get(SETTINGS, headers={"accept-language": "de"})) == "de"
    client.post(SETTINGS, {"name": "", "language": "en"})
    assert language_of(client.get(SETTINGS, headers={"accept-language": "de"})) == "en"
    client.post(SETTINGS, {"name": "", "language": ""})
    assert language_of(client.get(SETTINGS, headers={"accept-language": "de"})) == "de"


@pytest.mark.parametrize("wrong", [{"language": "xx"}, {"name": "x" * 101}])
def test_what_cannot_be_is_refused_and_explained(cast, client_for, wrong):
    answer = client_for(cast.admin).post(SETTINGS, {"name": "Ada", "language": "", **wrong})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert 'class="errors"' in page and 'aria-invalid="true"' in page
    assert User.objects.get(pk=cast.admin.pk).name == cast.admin.name


def test_nobody_changes_more_than_name_and_language(cast, client_for):
    data = {"name": "Ada", "language": "", "is_staff": "on", "is_superuser": "on", "email": "x@acme.example"}
    client_for(cast.admin).post(SETTINGS, data)
    person = User.objects.get(pk=cast.admin.pk)
    assert (person.name, person.email) == ("Ada", cast.admin.email)
    assert not person.is_staff and not person.is_superuser


def test_a_name_is_text_not_markup(cast, client_for):
    client = client_for(cast.admin)
    client.post(SETTINGS, {"name": "<b onclick=x>Ada</b>", "language": ""})
    page = client.get(SETTINGS).content.decode()
    assert "<b onclick" not in page and "&lt;b onclick=x&gt;" in page


# --- The frame ---
@pytest.mark.parametrize("host", HOSTS)
def test_the_menu_leads_to_settings_and_out(cast, client_for, host):
    page = client_for(cast.owner, host=host).get("/mailboxes/" if host else "/customers/").content.decode()
    menu = re.search(r'<details class="menu person">.*?</details>', page, re.S)[0]
    assert cast.owner.get_display_name() in menu
    assert f'href="{SETTINGS}"' in menu
    assert re.search(r'<form method="post" action="/accounts/logout/">.*?<button type="submit">', menu, re.S)


@pytest.mark.parametrize("host", HOSTS)
def test_nobody_has_no_menu(cast, client_for, host):
    assert "menu person" not in client_for(host=host).get("/accounts/login/").content.decode()
