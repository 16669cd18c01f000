"""What is wrong in a form is where people go on. That each page shows what is about no field is seen on the tour of all
pages (tests/journeys/test_every_page.py).
"""

import pytest
from django.conf import settings

from accounts.models import User
from tests.pages import presses, read, text_of

TEAM = "/team/invite/"


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({}, "email"),
        ({"role": "owner", "reach": "some"}, "email"),
        ({"email": "nora@northwind.example", "role": "owner", "reach": "some"}, "role"),
        ({"email": "nora@northwind.example", "role": "operator", "reach": "some"}, "customers"),
    ],
)
def test_a_refused_form_opens_at_its_first_wrong_field(cast, client_for, acme, typed, wrong):
    begun = client_for(cast.owner, host=None).get(TEAM)
    assert _opens_at(begun) == ["email"]
    assert _opens_at(presses(begun, "Send the invitation", **typed)) == [wrong]


@pytest.mark.parametrize("language", dict(settings.LANGUAGES))
@pytest.mark.parametrize(
    ("host", "path", "button", "field", "most"),
    [
        ("acme", "/mailboxes/new/", "OK", "name", 100),
        ("acme", "/mailboxes/new/", "OK", "description", 500),
        (None, "/settings/", "OK", "name", 100),
    ],
)
def test_what_is_too_long_is_refused_in_words_and_stays_whole(
    cast, client_for, language, host, path, button, field, most
):
    client = client_for(cast.admin, host=host)
    page = client.get(path)
    assert not read(page).xpath("//form[@method='post']//input[@type='text']/@maxlength")
    User.objects.filter(pk=cast.admin.pk).update(language=language)
    refused = read(presses(page, button, **{"name": "A name"} | {field: "x" * (most + 1)}))
    (told,) = refused.xpath(f"//ul[@id='id_{field}_error']")
    assert str(most) in text_of(told) and str(most + 1) in text_of(told)
    assert language == "en" or "Ensure" not in text_of(told)
    assert refused.xpath(f"//*[@name='{field}']/@value") == ["x" * (most + 1)]


@pytest.mark.parametrize(
    ("who", "host", "path", "button"),
    [
        (None, None, "/accounts/login/", "Anmelden"),
        (None, None, "/accounts/password/reset/", "Link senden"),
        ("owner", None, "/team/invite/", "Einladung senden"),
        ("owner", None, "/settings/password/choose/", "Passwort speichern"),
        ("admin", "acme", "/mailboxes/new/", "OK"),
    ],
)
def test_what_is_missing_is_said_by_the_server_in_the_language_of_the_page(
    cast, client_for, who, host, path, button
):
    client = client_for(
        who and getattr(cast, who),
        host=host,
    )
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    page = client.get(path)
    needed = read(page).xpath(
        "//main//form[@method='post'][@novalidate]//*[@required][not(@type='radio')]/@name"
    )
    assert needed
    refused = read(presses(page, button, **dict.fromkeys(needed, "")))
    for name in needed:
        (field,) = refused.xpath(f"//*[@name='{name}']")
        assert field.get("aria-invalid") == "true"
        told = [refused.get_element_by_id(each) for each in field.get("aria-describedby").split()]
        assert any("Dieses Feld ist zwingend erforderlich." in text_of(each) for each in told)


def _opens_at(answer):
    return read(answer).xpath("//*[@autofocus]/@name")
