"""Every word on a page passes gettext: nothing that people read stands in a template as it is."""

import re

import pytest

from portal.languages.catalogs import ROOT
from portal.languages.unmarked import unmarked, unmarked_in

# A text and the value that belongs to it, which is where English has it.
GLUED = re.compile(r'\{% translate "[^"]*" %\}\s*(?:<[a-z][^>]*>\s*)*\{\{')


def test_no_sentence_is_glued_to_a_value_for_languages_put_it_in_different_places():
    assert GLUED.search('{% translate "Since:" %} <b>{{ at|when }}</b>')
    pages = sorted((ROOT / "portal/console/templates").rglob("*.html"))
    assert [path.name for path in pages if GLUED.search(path.read_text())] == []


def test_every_word_of_every_template_can_be_translated():
    assert list(unmarked_in(ROOT)) == []


@pytest.mark.parametrize(
    "template",
    [
        "<p>Hello</p>",
        "{% if x %}Hello{% endif %}",
        '<img alt="Hello">',
        '<input placeholder="Hello {{ name }}">',
        '{% translate "Hello" %}, Hello',
        "{% blocktranslate %}Hello{% endblocktranslate %} Hello {% blocktranslate %}Hello{% endblocktranslate %}",
    ],
)
def test_an_unmarked_word_is_found(template):
    assert [text for text in unmarked(template) if "Hello" in text]


@pytest.mark.parametrize(
    "template",
    [
        "<p>{{ percent }}%</p>",
        '{% translate "Kind" %}: {{ name }}',
        '<b>{% translate "Show" %}<span>, {{ name }}</span></b>',
    ],
)
def test_a_sign_that_languages_write_differently_is_found(template):
    assert len(list(unmarked(template))) == 1


def test_an_unmarked_word_is_told_with_its_template(tmp_path):
    mails = tmp_path / "room" / "templates" / "room" / "email"
    mails.mkdir(parents=True)
    for path in (mails / "hello.txt", mails.parent / "hello.html"):
        path.write_text('{% translate "Hello" %} stranger')
    assert list(unmarked_in(tmp_path)) == [
        "room/templates/room/email/hello.txt: 'stranger' is not marked for translation",
        "room/templates/room/hello.html: 'stranger' is not marked for translation",
    ]


@pytest.mark.parametrize(
    "template",
    [
        '<p class="Hello">{% translate "Hello" %}</p>',
        "{% blocktranslate trimmed %}\n Hello <b>you</b>\n{% endblocktranslate %}",
        '<th scope="col" {% if x %}class="num"{% endif %}>{{ Hello|default:"Hello" }} UTC 1</th>',
        "{# Hello #}<!-- Hello --><script>Hello()</script>",
        "{% comment %}Hello{% endcomment %}",
    ],
)
def test_what_is_marked_or_unseen_is_not(template):
    assert list(unmarked(template)) == []
