"""Translating the portal in the browser: who may, and that it is written to the catalog."""

import re
import shutil
from pathlib import Path

import pytest
from django.contrib.auth.models import Group

ROOT = Path(__file__).resolve().parents[2]
FILES = "/rosetta/files/project/"


@pytest.fixture
def locale(settings, tmp_path):
    """A copy of the catalogs, for these tests write to them."""
    shutil.copytree(ROOT / "locale", tmp_path / "locale")
    settings.LOCALE_PATHS = [tmp_path / "locale"]
    settings.ROSETTA_EXCLUDED_PATHS = (str(ROOT / "locale"),)
    return tmp_path / "locale"


@pytest.fixture
def translator(cast):
    cast.stranger.groups.add(Group.objects.get(name="translators"))
    return cast.stranger


def test_staff_and_translators_find_the_catalogs_and_nobody_else_does(client_for, cast, translator, locale):
    for person in (cast.staff, translator):
        page = client_for(person, None).get(FILES)
        assert page.status_code == 200
        assert "German" in page.content.decode()
    for person in (cast.owner, cast.admin):
        assert client_for(person, None).get(FILES).status_code in (302, 403)
    assert client_for(None, None).get(FILES)["Location"].startswith("/accounts/login/")
    assert client_for(cast.admin).get(FILES).status_code == 404, "customers' hosts have no such page"


def test_what_a_translator_saves_stands_in_the_catalog(client_for, translator, locale):
    browser = client_for(translator, None)
    index = re.search(rf'href="{FILES}de/(\d+)/"', browser.get(FILES).content.decode())[1]
    page = browser.get(f"{FILES}de/{index}/?msg_filter=all&query=Sign+out").content.decode()
    field = re.search(r'name="(m_[0-9a-f]+)"[^>]*>\s*Abmelden', page)[1]
    saved = browser.post(
        f"{FILES}de/{index}/?msg_filter=all&query=Sign+out", {field: "Auf Wiedersehen", "_next": "1"}
    )
    assert saved.status_code in (200, 302)
    assert 'msgstr "Auf Wiedersehen"' in (locale / "de/LC_MESSAGES/django.po").read_text()
