import gettext
import os

import pytest
from babel.messages.pofile import PoFileError

from portal import catalogs

HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'


@pytest.fixture
def write(tmp_path):
    def write(text, language="de"):
        path = tmp_path / "locale" / language / "LC_MESSAGES" / "django.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + text)
        return path

    return write


def test_a_catalog_is_compiled_and_only_again_when_it_has_changed(write, tmp_path):
    path = write('msgid "Mailbox"\nmsgstr "Postfach"\n')
    assert catalogs.compile_catalogs(tmp_path) == [path.with_suffix(".mo")]
    assert catalogs.compile_catalogs(tmp_path) == []

    changed = path.with_suffix(".mo").stat().st_mtime + 1
    path.write_text(path.read_text().replace("Postfach", "Briefkasten"))
    os.utime(path, (changed, changed))
    catalogs.compile_catalogs(tmp_path)
    with path.with_suffix(".mo").open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("Mailbox") == "Briefkasten"


def test_no_catalog_at_all_is_no_error(tmp_path):
    assert catalogs.compile_catalogs(tmp_path) == []
    assert list(catalogs.complaints(tmp_path)) == []


def test_a_damaged_catalog_is_an_error(write, tmp_path):
    write("this is no catalog\n")
    with pytest.raises(PoFileError):
        catalogs.compile_catalogs(tmp_path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('msgid "Mailbox"\nmsgstr ""\n', "is not translated"),
        ('#, fuzzy\nmsgid "Mailbox"\nmsgstr "Postfach"\n', "is fuzzy"),
        ('#, python-format\nmsgid "%(count)s waiting"\nmsgstr "%(zahl)s warten"\n', "placeholder"),
    ],
)
def test_what_is_incomplete_is_named(write, tmp_path, text, complaint):
    write(text)
    (found,) = catalogs.complaints(tmp_path)
    assert complaint in found
    assert "locale/de/LC_MESSAGES/django.po" in found


def test_a_text_that_a_catalog_lacks_and_one_that_is_left_over_are_named(write, tmp_path):
    write('msgid "Sign in"\nmsgstr "Anmelden"\n\nmsgid "Fax"\nmsgstr "Fax"\n')
    pages = tmp_path / "portal" / "templates"
    pages.mkdir(parents=True)
    (pages / "page.html").write_text(
        """<p>{% translate "Sign in" %} <b title='{% translate "Hint" %}'>don't</b></p>
        {% if page %}
          {% blocktranslate trimmed count found=found with place=here %}
            {{ found }} mailbox in {{ place }}
          {% plural %}
            {{ found }} mailboxes in {{ place }}
          {% endblocktranslate %}
        {% endif %}"""
    )
    (tmp_path / "portal" / "words.py").write_text(
        '_("Choose " "one")\npgettext_lazy("month", "May")\n_(word)\n'
    )
    where = "locale/de/LC_MESSAGES/django.po: "
    assert list(catalogs.strays(tmp_path)) == [
        where + "'%(found)s mailbox in %(place)s' is missing",
        where + "'Choose one' is missing",
        where + "'Hint' is missing",
        where + "'May' is missing",
        where + "'Fax' is in use no more",
    ]


def test_the_catalogs_of_this_release_are_complete():
    assert [*catalogs.complaints(), *catalogs.strays()] == []


def test_every_language_but_english_has_a_catalog(settings):
    languages = {path.name for path in (catalogs.ROOT / "locale").iterdir()}
    assert languages | {"en"} == {code for code, name in settings.LANGUAGES}


def test_germans_sign_in_in_german(db, client_for):
    page = client_for(host=None).get("/accounts/login/", headers={"accept-language": "de"}).content.decode()
    assert "Anmelden" in page
    assert "Sign in" not in page
    assert 'lang="de"' in page


def test_the_own_setting_comes_before_the_browsers_language(cast, client_for):
    cast.viewer.language = "de"
    cast.viewer.save()
    client = client_for(cast.viewer)
    page = client.get("/mailboxes/", headers={"accept-language": "en"}).content.decode()
    assert "Noch kein Postfach" in page
    assert "No mailbox yet" not in page
