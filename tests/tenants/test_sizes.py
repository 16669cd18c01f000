"""Sizes as people type them."""

import pytest
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils import translation

from tenants.sizes import parse_size, written

KB, MB, GB = 1024, 1024**2, 1024**3


@pytest.mark.parametrize(
    ("language", "typed", "octets"),
    [
        ("en", "10 GB", 10 * GB),
        ("en", "10gb", 10 * GB),
        ("en", "1.5 GiB", GB + GB // 2),
        ("en", "1,500 MB", 1500 * MB),
        ("en", "1,5 GB", GB + GB // 2),  # as no thousands are written
        ("en", "2,500,000 bytes", 2_500_000),
        ("en", "512 k", 512 * KB),
        ("en", "1 byte", 1),
        ("de", "1,500 MB", MB + MB // 2),
        ("de", "1.500 MB", 1500 * MB),
        ("fr", "1,5 Go", GB + GB // 2),
        ("fr", "10 Gio", 10 * GB),
        ("fr", "1 000 octets", 1000),
        ("es", "10 GB", 10 * GB),
        ("ar", "\u0661\u0660 ج.ب", 10 * GB),
        ("ar", "\u0661\u066b\u0665 م.ب", MB + MB // 2),
        ("ar", "10 GB", 10 * GB),
    ],
)
def test_a_size_is_understood_as_it_is_typed_in_each_language(language, typed, octets):
    with translation.override(language):
        assert parse_size(typed) == octets


@pytest.mark.parametrize(
    "typed", ["10", "GB", "ten GB", "-1 GB", "1.2.3 GB", "1,50,000 MB", "10 GHz", "", "1e9 MB"]
)
def test_what_is_no_size_is_refused_and_a_number_without_a_unit_too(typed):
    with pytest.raises(ValidationError):
        parse_size(typed)


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "ar"])
@pytest.mark.parametrize(
    "octets", [0, 1, 1023, KB, 1536, 5_000_000_000, 10 * GB, 3 * GB + GB // 4, 2**63 - 1]
)
def test_what_a_field_shows_comes_back_to_the_octet(language, octets):
    with translation.override(language):
        assert parse_size(written(octets)) == octets


@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "ar"])
def test_what_pages_show_can_be_typed(language):
    with translation.override(language):
        for octets in (500, 7 * KB, 25 * MB, 10 * GB):
            assert parse_size(filesizeformat(octets)) == octets
