import gettext
import os
import shutil

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


def test_the_catalogs_of_this_release_are_complete():
    assert list(catalogs.complaints()) == []


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="GNU gettext is not installed")
def test_a_text_that_a_catalog_lacks_is_named():
    """The catalogs fit the code today, and a new sentence in a page would be told."""
    assert list(catalogs.strays()) == []
    extracted = catalogs._extracted(catalogs.ROOT)
    assert {"Create mailbox", "Sign in", "%(found)s mailbox"} <= catalogs._texts(extracted)


def test_germans_are_met_in_german(db, client_for):
    page = client_for(None).get("/accounts/login/", headers={"accept-language": "de"}).content.decode()
    assert "Anmelden" in page
    assert 'lang="de"' in page
