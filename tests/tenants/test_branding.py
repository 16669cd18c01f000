"""How a provider looks: what its owners may decide, what becomes of a picture that somebody uploads, and colours that can be
read.
"""

import struct
import zlib
from io import BytesIO

import pytest
from django.db import IntegrityError
from PIL import Image, PngImagePlugin

from accounts.errors import InvalidAddress
from tenants import branding
from tenants.branding import colours
from tenants.errors import InvalidColour, InvalidLogo, InvalidPhone, InvalidWebsite, LogoTooLarge
from tenants.models import AuditEvent, Branding, Logo, Provider
from tests.console.frame.tokens import token
from tests.tenants.drawing import noise, picture

GREEN, YELLOW = "#0d6b5f", "#ffcc00"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def of_northwind():
    return branding.brand_of(Provider.objects.get(slug="northwind"))


def logo():
    return branding.logo_of(of_northwind())


# --- Decisions ---
def test_an_owner_decides_and_the_trail_says_what(cast, northwind):
    changes = {
        "name": "Northwind Mail",
        "colour": " 0D6B5F",
        "support_email": "Help@Northwind.example",
        "support_phone": "+49 30 0000 2200",
        "support_url": "northwind.example/help",
    }
    branding.set_branding(northwind, **changes, by=cast.owner)
    brand = of_northwind()
    assert (brand.name, brand.colour, brand.support_phone) == ("Northwind Mail", GREEN, "+49 30 0000 2200")
    assert (brand.support_email, brand.support_url) == (
        "help@northwind.example",
        "https://northwind.example/help",
    )
    branding.set_branding(northwind, colour="", by=cast.owner)  # what is not named stays
    assert (of_northwind().name, of_northwind().palette) == ("Northwind Mail", None)
    last, first = AuditEvent.objects.of("provider.branding-changed")[:2]
    assert first.data["after"]["support_url"] == "https://northwind.example/help"
    assert last.data == {"before": {"colour": GREEN}, "after": {"colour": ""}}
    assert (last.provider_id, last.actor_email) == (northwind.pk, cast.owner.email)


def test_what_was_never_decided_is_the_providers_own_name_and_nothing_else(cast, northwind):
    assert of_northwind() == branding.Brand(northwind.name, northwind.name)
    branding.set_branding(northwind, name=northwind.name, colour=GREEN, by=cast.owner)
    Provider.objects.filter(pk=northwind.pk).update(name="Renamed")
    assert of_northwind().name == "Renamed"  # so no name of its own was stored


@pytest.mark.parametrize(
    ("field", "typed", "refusal"),
    [
        ("colour", "green", InvalidColour),
        ("colour", "#12345", InvalidColour),
        ("colour", "#000;}*{display:none", InvalidColour),
        ("support_email", "nobody", InvalidAddress),
        ("support_phone", "call me", InvalidPhone),
        ("support_phone", "1" * 41, InvalidPhone),
        ("support_url", "http://northwind.example/", InvalidWebsite),
        ("support_url", "javascript://northwind.example/%0aalert(1)", InvalidWebsite),
        ("support_url", "https://bank.example@evil.example/", InvalidWebsite),
        ("support_url", f"https://northwind.example/{'x' * 300}", InvalidWebsite),
    ],
)
def test_what_can_not_be_shown_is_refused_by_field(cast, northwind, field, typed, refusal):
    with pytest.raises(refusal) as refused:
        branding.set_branding(northwind, **{field: typed}, by=cast.owner)
    assert refused.value.field == field
    assert not Branding.objects.exists()


def test_a_reset_leaves_nothing_and_what_comes_next_has_other_addresses(cast, northwind):
    branding.set_branding(northwind, colour=GREEN, by=cast.owner)
    branding.set_logo(northwind, picture(), by=cast.owner)
    key = of_northwind().key
    branding.reset_branding(northwind, by=cast.owner)
    assert not Branding.objects.exists() and not Logo.objects.exists()
    assert AuditEvent.objects.of("provider.branding-reset").count() == 1
    branding.set_branding(northwind, colour=GREEN, by=cast.owner)
    assert of_northwind().key != key
    assert branding.brand_by_key(key) is None


def test_the_database_itself_keeps_what_is_no_colour_out_of_the_stylesheet(cast, northwind):
    branding.set_branding(northwind, colour=GREEN, by=cast.owner)
    with pytest.raises(IntegrityError):
        Branding.objects.update(colour="red;}")


# --- Pictures ---
def test_a_picture_is_made_anew_small_and_without_anything_but_pixels(cast, northwind):
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", "taken at home")
    upload = picture((1800, 900), pnginfo=told, icc_profile=b"a profile") + b"<script>alert(1)</script>"
    branding.set_logo(northwind, upload, by=cast.owner)
    kept = logo()
    with Image.open(BytesIO(kept)) as image:
        assert (image.format, image.size) == ("PNG", (320, 160))
    assert (of_northwind().logo_width, of_northwind().logo_height) == (320, 160)
    assert chunks(kept) <= {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
    assert b"script" not in kept and b"home" not in kept and b"profile" not in kept


def test_a_photo_stands_upright_and_forgets_where_it_was_taken(cast, northwind):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    exif[0x010E] = "at home"
    branding.set_logo(northwind, picture((100, 40), "JPEG", exif=exif), by=cast.owner)
    assert (of_northwind().logo_width, of_northwind().logo_height) == (40, 100)
    assert b"at home" not in logo()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_one_that_browsers_show(cast, northwind, mode):
    upload = picture(mode=mode) if mode != "I;16" else grey_of_16_bits()
    branding.set_logo(northwind, upload, by=cast.owner)
    with Image.open(BytesIO(logo())) as image:
        image.load()


def test_a_picture_in_the_colours_of_print_becomes_one_in_those_of_screens(cast, northwind):
    branding.set_logo(northwind, picture(kind="JPEG", mode="CMYK"), by=cast.owner)
    with Image.open(BytesIO(logo())) as image:
        assert image.mode in ("RGBA", "P")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_what_is_kept_is_bounded_whatever_was_drawn(cast, northwind, mode):
    """So a visitor's first page stays light (portal/test_weight.py)."""
    branding.set_logo(northwind, noise(mode), by=cast.owner)
    assert 10_000 < len(logo()) <= 32 * 1024


HOSTILE = {
    "a drawing with a script": (SVG, InvalidLogo),
    "a drawing that begins as text": (b'<?xml version="1.0"?>' + SVG, InvalidLogo),
    "a page": (b"<!DOCTYPE html><script>alert(1)</script>", InvalidLogo),
    "a page that begins as a picture": (b"GIF89a/*<script>*/=0", InvalidLogo),
    "nothing": (b"", InvalidLogo),
    "a drawing for printers": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", InvalidLogo),
    "half a picture": (picture()[:60], InvalidLogo),
    "too many octets": (b"\x89PNG\r\n\x1a\n" + bytes(branding.LOGO_OCTETS), LogoTooLarge),
    "too wide": (picture((branding.LOGO_PIXELS + 1, 1), mode="1"), LogoTooLarge),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_is_no_still_picture_is_refused(cast, northwind, what):
    upload, refusal = HOSTILE[what]
    with pytest.raises(refusal) as refused:
        branding.set_logo(northwind, upload, by=cast.owner)
    assert refused.value.field == "logo"
    assert not Logo.objects.exists()


def test_a_picture_that_moves_is_refused(cast, northwind):
    moving = picture(save_all=True, append_images=[Image.new("RGB", (300, 100))])
    with pytest.raises(InvalidLogo):
        branding.set_logo(northwind, moving, by=cast.owner)


def test_a_picture_that_unpacks_to_gigabytes_is_refused_by_its_head(cast, northwind):
    """100,000 by 100,000 pixels, of which the file says no more than that."""
    with pytest.raises((InvalidLogo, LogoTooLarge)):
        branding.set_logo(
            northwind, png(struct.pack(">IIBBBBB", 100_000, 100_000, 8, 6, 0, 0, 0)), by=cast.owner
        )


def test_the_same_picture_once_more_is_no_change(cast, northwind):
    for _ in range(2):
        branding.set_logo(northwind, picture(), by=cast.owner)
    assert AuditEvent.objects.of("provider.logo-changed").count() == 1
    branding.remove_logo(northwind, by=cast.owner)
    assert (logo(), of_northwind().logo_digest) == (None, "")
    assert AuditEvent.objects.of("provider.logo-removed").count() == 1


# --- Colours ---
def test_whatever_colour_is_chosen_can_be_read_in_both_themes():
    chosen = [f"#{red:02x}{green:02x}{blue:02x}" for red in STEPS for green in STEPS for blue in STEPS]
    for colour in chosen:
        palette = colours.palette_of(colour)
        for tones, theme in ((palette.light, colours.LIGHT), (palette.dark, colours.DARK)):
            assert all(colours.contrast(tones.accent, ground) >= 4.5 for ground in theme.grounds), colour
            for fill in (tones.fill, tones.fill_2):
                assert colours.contrast(fill, theme.ink) >= 4.5, colour
                assert all(colours.contrast(fill, paper) >= 3 for paper in theme.papers), colour


STEPS = range(0, 256, 51)


def test_a_colour_that_can_be_read_stays_and_another_gives_way_as_little_as_will_do():
    assert colours.palette_of(GREEN).stands_in_light
    assert not colours.palette_of(GREEN).stands_in_dark
    bright = colours.palette_of(YELLOW)
    assert (bright.dark.accent, bright.stands_in_light) == (YELLOW, False)
    assert 4.5 <= colours.contrast(bright.light.accent, "#eaeef2") < 4.6


def test_contrast_is_reckoned_as_wcag_does():
    assert round(colours.contrast("#ffffff", "#000000"), 2) == 21
    assert round(colours.contrast("#777777", "#ffffff"), 2) == 4.48
    assert round(colours.contrast("#ff0000", "#ffffff"), 2) == 4.0


@pytest.mark.parametrize(("theme", "side"), [(colours.LIGHT, 0), (colours.DARK, 1)])
def test_they_are_judged_before_what_pages_have_behind_them(theme, side):
    behind_text = ("ground", "paper", "raised", "sunken", "hover", "press", "selected", "accent-wash")
    assert set(theme.grounds) == {token(name)[side] for name in behind_text}
    assert set(theme.papers) == {token(name)[side] for name in ("ground", "paper", "raised")}
    assert theme.ink == token("accent-ink")[side]


# --- Kit ---
def png(head, data=b""):
    def chunk(kind, octets):
        return struct.pack(">I", len(octets)) + kind + octets + struct.pack(">I", zlib.crc32(kind + octets))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def grey_of_16_bits():
    return png(struct.pack(">IIBBBBB", 20, 10, 16, 0, 0, 0, 0), (b"\0" + b"\x80\0" * 20) * 10)


def chunks(file):
    """The kinds of parts of which a PNG is made."""
    found, at = set(), 8
    while at < len(file):
        length = int.from_bytes(file[at : at + 4])
        found.add(file[at + 4 : at + 8])
        at += length + 12
    return found
