"""The tags of which pages are made."""

import pytest
from lxml import html

from portal.console.templatetags.look import tile


@pytest.mark.parametrize(
    ("name", "of_a_place", "of_a_person"),
    [
        ("Acme Ltd", "A", "AL"),
        ("\u2068\u0634\u0631\u0643\u0629\u2069 Acme", "\u0634", "\u0634A"),
        ("\u200b Acme \u2065 Ltd", "A", "AL"),
        ("“Acme” (Ltd)", "A", "AL"),
        ("\N{ROCKET} Acme", "\N{ROCKET}", "\N{ROCKET}A"),
        ("", "", ""),
    ],
)
def test_a_tile_shows_the_first_letters_that_can_be_seen(name, of_a_place, of_a_person):
    assert html.fromstring(tile(name)).text_content() == of_a_place
    assert html.fromstring(tile(name, "face")).text_content() == of_a_person
