"""What is wrong in a form is where people go on. That each page shows what is about no field is seen on the tour of all
pages (tests/journeys/test_every_page.py).
"""

import pytest

from tests.pages import presses, read

TEAM = "/team/invite/"


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({}, "email"),
        ({"role": "owner", "reach": "some"}, "email"),
        ({"email": "nora@northwind.example", "role": "owner", "reach": "some"}, "reach"),
        ({"email": "nora@northwind.example", "role": "operator", "reach": "some"}, "customers"),
    ],
)
def test_a_refused_form_opens_at_its_first_wrong_field(cast, client_for, acme, typed, wrong):
    begun = client_for(cast.owner, host=None).get(TEAM)
    assert _opens_at(begun) == ["email"]
    assert _opens_at(presses(begun, "Send the invitation", **typed)) == [wrong]


def _opens_at(answer):
    return read(answer).xpath("//*[@autofocus]/@name")
