"""What a page weighs on the wire: a visitor's first page with all that it loads, and a later one with what it adds."""

import gzip
import re

import pytest
from django.contrib.staticfiles import finders
from django_tenants.utils import tenant_context
from whitenoise.compress import Compressor

from mailboxes.models import Mailbox
from tenants import branding
from tests.tenants.drawing import noise

FIRST_PAGE_OCTETS, LATER_PAGE_OCTETS = 250_000, 40_000
ROWS = 50  # of a list, at most
FACE = re.compile(r'@font-face \{[^}]*?url\("([^"]+)"\)[^}]*?unicode-range: ([^;]+);', re.DOTALL)


def weight(path):
    """Of a static file, compressed as it is served."""
    with open(finders.find(path), "rb") as file:
        data = file.read()
    if not Compressor().should_compress(path):
        return len(data)
    return min(len(data), len(Compressor.compress_gzip(data)))


def linked(page):
    """The static files that a page names, and the faces for which it has letters."""
    named = set(re.findall(r'(?:href|src)="/static/([^"#]+)', page))
    letters = {ord(letter) for letter in page}
    with open(finders.find("portal/tokens.css"), encoding="utf-8") as file:
        faces = FACE.findall(file.read())
    assert faces
    return named | {f"portal/{face}" for face, ranges in faces if letters & set(code_points(ranges))}


def code_points(ranges):
    for one in ranges.split(","):
        first, _, last = one.strip().removeprefix("U+").partition("-")
        yield from range(int(first, 16), int(last or first, 16) + 1)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_visitors_first_page_weighs_little(cast, northwind, client_for, language):
    """In its provider's look, with the heaviest logo that there can be."""
    branding.set_branding(northwind, colour="#ffcc00", by=cast.owner)
    branding.set_logo(northwind, noise(), by=cast.owner)
    visitor = client_for()
    answer = visitor.get("/accounts/login/", headers={"accept-language": language})
    files = linked(answer.content.decode())
    assert {"portal/gatehouse.css", "portal/icons.svg", "portal/app.js"} < files
    assert len([file for file in files if file.endswith(".woff2")]) >= 2
    weights = {file: weight(file) for file in files}
    worn = re.findall(r'(?:href|src)="(/branding/[^"]+)', answer.content.decode())
    assert len(worn) == 2
    weights |= {file: len(visitor.get(file).content) for file in worn}
    assert len(answer.content) + sum(weights.values()) < FIRST_PAGE_OCTETS, weights


def test_a_later_page_weighs_little_though_it_is_full(cast, acme, client_for):
    with tenant_context(acme):
        Mailbox.objects.bulk_create(
            Mailbox(name=f"Journal {number}", address=f"mbx-{number:016}@gateway.localhost")
            for number in range(ROWS)
        )
    client = client_for(cast.admin)
    first = linked(client_for().get("/accounts/login/").content.decode())
    answer = client.get("/mailboxes/", headers={"accept-encoding": "gzip"})
    page = gzip.decompress(answer.content)
    assert page.count(b"<tr id=") == ROWS
    files = linked(page.decode()) - first
    weights = {file: weight(file) for file in files}
    assert len(answer.content) + sum(weights.values()) < LATER_PAGE_OCTETS, weights


def test_a_font_is_sent_as_it_lies_there_in_whole_and_in_part(db, client_for):
    font = "/static/portal/fonts/inter-latin-wght-normal.woff2"
    whole, part = (
        client_for().get(font, headers={"accept-encoding": "gzip"} | more)
        for more in ({}, {"range": "bytes=0-99"})
    )
    for answer in (whole, part):
        assert "Content-Encoding" not in answer
        assert len(b"".join(answer.streaming_content)) == int(answer["Content-Length"])
    assert (part.status_code, part["Content-Length"]) == (206, "100")
