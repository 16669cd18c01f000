"""A number of ours in a text comes from its setting or constant by a placeholder, or the text would lie one day."""

import re

from babel.messages.pofile import read_po

from portal.languages.catalogs import ROOT

NUMBER = re.compile(
    r"\b(\d+|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|thirty|sixty|hundred|dozen)\b",
    re.I,
)
PLACE = re.compile(r"%%|%\(\w+\)\w|%[ds]|\{\w*\}")
# What no setting of ours changes.
STANDS = (
    "1 to %(most)s",
    "2 to %(most)s",
    "192.0.2.0/24",
    "2001:db8::/32",
    "32 octets of an Ed25519 key",
    # Examples of what is typed.
    "such as 500 MB or 10 GB",
    "a # and six digits from 0 to 9 and a to f, such as #0d6b5f",
    "such as +49 30 123456",
    # What others do.
    "365",
    "port 25",
    "Exchange Server after 2 days, other systems after up to 5 days",
    "about a day, other systems after up to 5 days",
    "Google may take up to 24 hours",
    "Check the two PEM files",
    # As many as there are.
    "The two new passwords differ",
    "Name two places",
    "Two sign-ins at once",
    "two sign-ins at once",
)


def test_no_text_says_by_itself_a_number_that_code_decides():
    with (ROOT / "locale/de/LC_MESSAGES/django.po").open("rb") as file:
        texts = [
            form
            for entry in read_po(file)
            for form in ((entry.id,) if isinstance(entry.id, str) else entry.id)
        ]
    assert texts
    said = {}
    for text in texts:
        left = text
        for known in STANDS:
            left = left.replace(known, "")
        if found := NUMBER.findall(PLACE.sub("", left)):
            said[text] = found
    assert not said, said
