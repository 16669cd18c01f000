"""A NUL, which no text of the database can hold, is a bad request wherever it stands, and never an error of ours."""

import pytest

from tests.cast import PASSWORD

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def staff(cast, client_for):
    return client_for(cast.staff, host=None)


@pytest.mark.parametrize(
    "path",
    [
        "/admin/accounts/user/?q=%00",
        "/admin/accounts/user/?is_staff__exact=%00",
        "/admin/tenants/membership/?o=1&role__exact=a%00b",
        "/admin/accounts/user/%00/change/",
        "/admin/tenants/customer/a%00/history/",
        "/accounts/login/?next=%00",
        "/settings/%00",
    ],
)
def test_in_a_path_or_a_question(staff, path):
    assert staff.get(path).status_code == 400


def test_in_a_form_however_it_is_sent(staff, cast):
    for path in (f"/admin/accounts/user/{cast.viewer.pk}/change/", "/accounts/login/", "/settings/"):
        assert staff.post(path, {"name": "a\0b", "email": "a\0b", "login": "\0"}).status_code == 400
        assert staff.post(path, "name=a%00b&login=%00", content_type=FORM).status_code == 400


def test_in_the_cookie_of_a_session(client_for):
    browser = client_for(None, host="acme")
    browser.cookies["sessionid"] = "a\0b"
    assert browser.get("/mailboxes/").status_code == 400


def test_who_types_a_per_cent_sign_and_two_noughts_is_understood(client_for, cast):
    browser = client_for(None, host="acme")
    assert browser.post("/accounts/login/", {"login": "100%00", "password": PASSWORD}).status_code == 200
    body = "login=100%2500&password=x"
    assert browser.post("/accounts/login/", body, content_type=FORM).status_code == 200
