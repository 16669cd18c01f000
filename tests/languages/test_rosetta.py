"""Translating the portal in the browser: who may, and that it changes texts and nothing else."""

import os
import re
import shutil
import tempfile
from html import unescape
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from lxml import html

from portal.languages.catalogs import compile_catalogs
from tests.console.kit import Page, Visit
from tests.pages import follows, presses
from tests.tenants.kit import text as text_of

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
        assert "Deutsch" in page.content.decode()
        assert page.content.decode().count("Pages show what you save here") == 1
    for person in (cast.owner, cast.admin):
        assert client_for(person, None).get(FILES).status_code in (302, 403)
    assert client_for(None, None).get(FILES)["Location"].startswith("/accounts/login/")
    assert client_for(cast.admin).get(FILES).status_code == 404, "customers' hosts have no such page"


@pytest.mark.parametrize("path", ["/admin/", FILES])
@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("ar", "rtl")])
def test_what_libraries_draw_has_our_look_and_the_readers_language(
    client_for, cast, locale, path, language, direction
):
    page = client_for(cast.staff, None).get(path, headers={"accept-language": language}).content.decode()
    assert re.search(rf'<html lang="{language}"\s+dir="{direction}"', page)
    for file in ("gatehouse.css", "icons.svg#mark"):
        assert f"/static/portal/{file}" in page
    if "admin/css/base.css" in page:
        assert page.index("portal/admin.css") > page.index("admin/css/base.css"), (
            "ours counts where both say something"
        )


@pytest.mark.parametrize("path", ["/admin/", "/admin/accounts/user/", FILES, f"{FILES}de/0/"])
def test_what_libraries_draw_is_as_light_or_dark_as_the_reader_chose(client_for, cast, locale, path):
    browser = client_for(cast.staff, None)
    assert "data-theme" not in browser.get(path).content.decode()
    for theme in ("light", "dark"):
        cast.staff.theme = theme
        cast.staff.save()
        page = browser.get(path).content.decode()
        assert re.search(rf'<html [^>]*data-theme="{theme}"', page)
        assert "theme-toggle" not in page and "theme.js" not in page, "there is one choice for all pages"


@pytest.mark.parametrize("path", [FILES, f"{FILES}de/0/"])
def test_who_translates_finds_the_way_out(client_for, cast, translator, locale, path):
    """To the settings, the console and, for staff, the administration; and the other way from there."""
    for person in (cast.staff, translator):
        page = client_for(person, None).get(path)
        assert re.search(r"<title>[^<]*\S\s+· Gatehouse</title>", page.content.decode())
        assert "Appearance" in text_of(follows(page, "Settings"))
        assert follows(page, "All customers").status_code == 200
        assert ("Gatehouse administration" in text_of(page)) == person.is_staff
        assert presses(page, "Sign out")["Location"] == "/accounts/login/"
    browser = client_for(cast.staff, None)
    assert (
        follows(browser.get(path), "Gatehouse administration").context["title"] == "Gatehouse administration"
    )
    for place in ("/admin/", "/admin/accounts/user/"):
        assert "Deutsch" in text_of(follows(browser.get(place), "Translations"))


def test_nobody_reads_where_the_server_keeps_its_files(client_for, translator, locale):
    for path in (FILES, f"{FILES}de/0/"):
        page = client_for(translator, None).get(path).content.decode()
        assert str(locale.parent) not in page and "django.po" not in page
        assert locale.parent.name not in page.lower()


def test_each_text_says_what_is_ticked_beside_it(client_for, translator, locale):
    page = html.fromstring(client_for(translator, None).get(f"{FILES}de/0/").content)
    boxes = page.xpath("//input[@type='checkbox']")
    assert len(boxes) == 25
    assert {" ".join(box.getparent().text_content().split()) for box in boxes} == {"Needs revision (fuzzy)"}


def test_placeholders_and_tags_are_read_whole_in_a_text_that_is_written_from_the_right(
    client_for, translator, locale
):
    browser = client_for(translator, None)
    for code, read in (("ar", True), ("de", False)):
        index = re.search(rf'href="{FILES}{code}/(\d+)/"', browser.get(FILES).content.decode())[1]
        page = html.fromstring(
            browser.get(f"{FILES}{code}/{index}/?msg_filter=all&query=addresses end in").content
        )
        (original,) = page.xpath("//td[@class='original full']")
        tokens = ['<span class="mono">', "%(domain)s", "</span>"]
        assert [one.text_content() for one in original.iter("code")] == tokens
        translations = page.xpath("//p[@class='read'][@dir='rtl']")
        assert [[one.text_content() for one in text.iter("code")] for text in translations] == [tokens] * read


@pytest.fixture
def save(client_for, translator, locale):
    """The translator looks for a text and saves another translation; what the page then says."""

    def act(text, translation):
        browser = client_for(translator, None)
        index = re.search(rf'href="{FILES}de/(\d+)/"', browser.get(FILES).content.decode())[1]
        page = f"{FILES}de/{index}/?msg_filter=all&query={text}"
        fields = re.findall(r'name="(m_[0-9a-f]+)"[^>]*>([^<]*)<', browser.get(page).content.decode())
        (field,) = [name for name, shown in fields if shown.strip() == text]
        return unescape(browser.post(page, {field: translation, "_next": "1"}, follow=True).content.decode())

    return act


@pytest.fixture
def in_german(client_for, cast, locale):
    """The browser of Acme's administrator, who reads German, after the portal was started anew."""

    def open_browser():
        compile_catalogs(locale.parent)
        cast.admin.language = "de"
        cast.admin.save()
        return client_for(cast.admin)

    return open_browser


def test_what_a_translator_saves_stands_on_pages_after_the_next_start(save, in_german, locale):
    compiled = (locale / "de/LC_MESSAGES/django.mo").read_bytes()
    assert "stays English" not in save("Abmelden", "Auf Wiedersehen")
    assert 'msgstr "Auf Wiedersehen"' in (locale / "de/LC_MESSAGES/django.po").read_text()
    assert (locale / "de/LC_MESSAGES/django.mo").read_bytes() == compiled
    assert "Auf Wiedersehen" in in_german().get("/mailboxes/").content.decode()


def test_a_translation_does_nothing_on_the_page_of_who_reads_it(save, in_german):
    """What htmx finds in an attribute it does, with the rights of the reader."""
    trap = (
        '<b hx-post="/people/invite/" hx-trigger="load" hx-include="[name=csrfmiddlewaretoken]" '
        """hx-vals='{"email":"mallory@evil.example","role":"admin"}'>Zum Inhalt</b>"""
    )
    assert "“Skip to content” stays English" in save("Zum Inhalt springen", trap)
    page = in_german().get("/mailboxes/").content.decode()
    assert "mallory@evil.example" not in page
    assert "Skip to content" in page


def test_a_translation_with_an_address_of_its_own_stays_english_and_the_page_says_why(save):
    said = save("Abmelden", "Abmelden auf evil.example")
    assert "“Sign out” stays English" in said and "address of its own" in said


def test_a_translation_with_half_a_placeholder_breaks_no_act(save, in_german):
    assert "has been created.” stays English" in save(
        "Das Postfach „%(name)s“ ist angelegt.", "Das Postfach „%(name)“ ist angelegt."
    )
    visit = Visit(in_german())
    created = visit.confirms(visit.asks("Journal"))
    assert "The mailbox “Journal” has been created." in Page(visit.client.get(created["Location"])).text


@pytest.mark.parametrize("whose", ["all", "django", "third-party"])
def test_nobody_translates_the_texts_of_libraries(client_for, cast, translator, locale, whose):
    for person in (cast.staff, translator):
        for place in ("", "de/0/", "de/0/download/"):
            page = f"/rosetta/files/{whose}/{place}"
            assert client_for(person, None).get(page).status_code == 404
            assert client_for(person, None).post(page).status_code == 404


def test_the_list_of_catalogs_leaves_no_file_behind_or_open(
    client_for, translator, locale, monkeypatch, tmp_path
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    def opened():
        """The files that this process holds open; sockets, which others of its threads open and close, are no files."""
        places = map(os.path.realpath, Path("/proc/self/fd").iterdir())
        return [place for place in places if place.startswith(str(tmp_path))]

    assert client_for(translator, None).get(FILES).status_code == 200
    assert opened() == []
    assert list(temporary.iterdir()) == []
