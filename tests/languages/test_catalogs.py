import gettext
import json
import os
import re
import time

import pytest
from babel.messages.pofile import PoFileError
from django.utils.translation import to_language

from portal.languages import catalogs, languages_in

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
        ('msgid "A"\nmsgid_plural "B"\nmsgstr[0] "C"\n', "is not translated"),
        ('msgid "%(count)s waiting"\nmsgstr "%(zahl)s warten"\n', "has %(zahl)s"),
    ],
)
def test_what_is_incomplete_is_named(write, tmp_path, text, complaint):
    write(text)
    (found,) = catalogs.complaints(tmp_path)
    assert complaint in found
    assert "locale/de/LC_MESSAGES/django.po" in found


MESSAGES = "%(count)s message", "%(count)s messages"
SHEET = '<b class="mono">%(name)s</b>, {size}'


@pytest.mark.parametrize(
    ("original", "translation", "fault"),
    [
        ("%(count)s wait", "Es wird gewartet", "lacks the placeholder %(count)s"),
        ("%(count)s of %(total)s", "%(count)s von vielen", "lacks the placeholder %(total)s"),
        ("%(count)s wait", "%(count)d warten", "has %(count)d"),
        ("%(count)s wait", "%(count) warten", "has %"),
        ("%(count)s wait", "%(count)s warten, 10 %", "has %"),
        ("{size} free", "{size.__class__} frei", "has {size.__class__}"),
        ("{size} free", "{size} frei }", "has }"),
        ("Hello", '<b hx-post="/people/invite/">Hallo</b>', "other tags"),
        ("Hello", "Hallo <img src=x", "other tags"),
        (SHEET, "%(name)s, {size}", "other tags"),
        (SHEET, '<b class="mono" hx-get="/">%(name)s</b>, {size}', "other tags"),
        ("Search", 'Suchen" hx-get="/', "straight quotation mark"),
        ("Subject", "Betreff\nBcc: mallory@evil.example", "line break"),
        ("Choose a new password", "Neues Passwort: https://evil.example/x", "has the address https"),
        ("Choose a new password", "Neues Passwort auf evil.example", "has the address evil.example"),
        ("Choose a new password", "Neues Passwort auf Evil。Example", "has the address evil。example"),
        (
            "Choose a new password",
            "Neues Passwort auf evil.\N{ZERO WIDTH SPACE}example",
            "has the address evil",
        ),
        ("Choose a new password", "Neues Passwort auf 192.0.2.7", "has the address 192.0.2.7"),
        ("Write to us", "An hilfe@evil schreiben", "has the address hilfe@evil"),
        ("Write to us", "mailto:hilfe", "has the address mailto:hilfe"),
        ("%(place)s invites you", "%(place)s.evil lädt ein", "has the address x.evil"),
        ("See %(url)s", "Siehe %(url)s.evil.example", "has the address"),
        (MESSAGES, ("Eine Nachricht", "Nachrichten"), "lacks the placeholder %(count)s"),
        (MESSAGES, ("Eine Nachricht", "<i>%(count)s</i> Nachrichten"), "other tags"),
    ],
)
def test_what_does_not_fit_its_original_is_named_and_english_stands_in_its_place(
    write, tmp_path, original, translation, fault
):
    path = write(entry(original, translation))
    (found,) = catalogs.complaints(tmp_path)
    assert fault in found
    assert translated(path, original) == translated_by_nobody(original)


@pytest.mark.timeout(60)
def test_a_translation_of_any_length_is_judged_before_anybody_notices(write, tmp_path):
    """Translators type it into a page, and all threads of a web process wait for it."""
    write(entry("Write to us", "%" + "0" * 200_000))
    (found,) = catalogs.complaints(tmp_path)
    assert "has %, which its original has not" in found


@pytest.mark.parametrize(
    ("original", "translation"),
    [
        ("%(count)s of %(total)s", "von %(total)s: %(count)s"),
        ("%(percent)s%% done", "%(percent)s\N{NO-BREAK SPACE}%% fertig"),
        ("%(percent)s%% done", "%(percent)s٪"),
        (SHEET, '{size}: <b class="mono">%(name)s</b>'),
        ('Such as ["192.0.2.0/24"]', "Etwa „192.0.2.0/24“"),
        ("Such as portal.example.com, by email.", "Etwa portal.example.com. Per E-Mail, z.B. um 12.30 Uhr."),
        ("Begins with https://.", "Fängt mit https:// an."),
        (MESSAGES, ("Eine Nachricht", "%(count)s Nachrichten")),
        (("One message", "%(count)s messages"), ("%(count)s Nachricht", "%(count)s Nachrichten")),
    ],
)
def test_what_only_differs_as_languages_do_is_shown(write, tmp_path, original, translation):
    path = write(entry(original, translation))
    assert list(catalogs.complaints(tmp_path)) == []
    assert translated(path, original) == translation


def test_a_number_is_left_out_only_where_the_form_says_it(write, tmp_path):
    """In Russian the form of 1 is that of 21 and 31, too; in Arabic 0, 1 and 2 have their own."""
    write(entry(MESSAGES, ("одно сообщение", "%(count)s сообщения", "%(count)s сообщений")), "ru")
    write(entry(MESSAGES, ("لا", "واحدة", "رسالتان", *["%(count)s رسالة"] * 3)), "ar")
    (found,) = catalogs.complaints(tmp_path)
    assert found.startswith("locale/ru/")


def test_what_another_program_has_compiled_is_compiled_anew(write, tmp_path):
    path = write(entry("Hello", "<b>Hallo</b>"))
    other = path.with_suffix(".mo")
    other.write_bytes(b"")
    long_ago = time.time() - 10 * 365 * 86400
    for file in (path, other):
        os.utime(file, (long_ago, long_ago))
    assert catalogs.compile_catalogs(tmp_path) == [other]


def entry(original, translation):
    """As a catalog has it."""
    if isinstance(original, str):
        return f"msgid {quoted(original)}\nmsgstr {quoted(translation)}\n"
    forms = "".join(f"msgstr[{number}] {quoted(form)}\n" for number, form in enumerate(translation))
    return f"msgid {quoted(original[0])}\nmsgid_plural {quoted(original[1])}\n{forms}"


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def translated(path, original):
    """What people read, once the catalog is compiled; of a text for numbers, the forms for one and for many."""
    catalogs.compile_catalogs(path.parents[3])
    with path.with_suffix(".mo").open("rb") as file:
        return read_by(gettext.GNUTranslations(file), original)


def translated_by_nobody(original):
    return read_by(gettext.NullTranslations(), original)


def read_by(translations, original):
    if isinstance(original, str):
        return translations.gettext(original)
    return tuple(translations.ngettext(*original, number) for number in (1, 1000))


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
        where + "'May' (month) is missing",
        where + "'Fax' is in use no more",
    ]


def test_a_word_that_stands_for_two_things_is_wanted_once_for_each(write, tmp_path):
    write('msgctxt "passkeys"\nmsgid "On"\nmsgstr "An"\n\nmsgid "On"\nmsgstr "Ein"\n')
    pages = tmp_path / "portal" / "templates"
    pages.mkdir(parents=True)
    (pages / "page.html").write_text(
        '{% translate "On" context "passkeys" %}{% translate "On" context "app" %}'
    )
    assert list(catalogs.strays(tmp_path)) == [
        "locale/de/LC_MESSAGES/django.po: 'On' (app) is missing",
        "locale/de/LC_MESSAGES/django.po: 'On' is in use no more",
    ]


def test_the_catalogs_of_this_release_are_complete():
    assert [*catalogs.complaints(), *catalogs.strays()] == []


def test_every_language_but_english_has_a_catalog(settings):
    languages = {to_language(path.name) for path in (catalogs.ROOT / "locale").iterdir()}
    assert languages | {"en"} == {code for code, name in settings.LANGUAGES}


def test_a_catalog_is_all_that_a_language_takes(write, tmp_path):
    for folder in ("pt_BR", "fr", "zh_Hans"):
        write("", folder)
    assert languages_in(tmp_path / "locale") == [
        ("en", "English"),
        ("fr", "Français"),
        ("pt-br", "Português Brasileiro"),
        ("zh-hans", "简体中文"),
    ]


def test_germans_sign_in_in_german(db, client_for):
    page = client_for(host=None).get("/accounts/login/", headers={"accept-language": "de"}).content.decode()
    assert "Anmelden" in page
    assert "Sign in" not in page
    assert 'lang="de"' in page


def test_words_agree_with_what_they_stand_for(cast, client_for):
    client = client_for(cast.admin, HTTP_ACCEPT_LANGUAGE="es")
    page = " ".join(re.sub(r"<[^>]*>", " ", client.get("/settings/security/").content.decode()).split())
    assert "Llaves de acceso Desactivadas" in page
    assert "Aplicación de autenticación Desactivada" in page


def test_the_own_setting_comes_before_the_browsers_language(cast, client_for):
    cast.viewer.language = "de"
    cast.viewer.save()
    client = client_for(cast.viewer)
    page = client.get("/mailboxes/", headers={"accept-language": "en"}).content.decode()
    assert "Noch kein Postfach" in page
    assert "No mailbox yet" not in page
