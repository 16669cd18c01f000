"""A NUL, which no text of the database can hold, is a bad request wherever it stands, and never an error of ours. So is a
tower of marks, which would hold all threads of a process.
"""

import base64

import pytest
from django_tenants.utils import tenant_context

from mailboxes.models import Mailbox
from tests.cast import PASSWORD
from tests.pages import presses

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


def test_in_a_part_that_is_written_in_other_letters(staff):
    part = b'--b\r\nContent-Disposition: form-data; name="name"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    body = part + base64.b64encode(b"a\0b") + b"\r\n--b--\r\n"
    assert staff.generic("POST", "/settings/", body, "multipart/form-data; boundary=b").status_code == 400


@pytest.mark.parametrize("letters", ["utf-7", "utf-16", "punycode", "idna", "zlib_codec", "undefined"])
def test_in_letters_that_the_form_names_itself(staff, letters):
    """Some of Python's codecs fail on a form, and one takes the square of its length."""
    part = b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\na+AAA-b\r\n--b--\r\n'
    for body, sent_as in [(part, "multipart/form-data; boundary=b"), (b"name=a", FORM)]:
        assert staff.generic("POST", "/settings/", body, f"{sent_as}; charset={letters}").status_code == 400
    assert staff.generic("POST", "/settings/", b"name=a", f"{FORM}; charset=UTF-8").status_code == 302


# Two kinds that each normal form sorts apart, one that is none by itself but stands for two, one that is none before
# NFKC, and some with what is taken out before they are sorted between them.
@pytest.mark.parametrize(
    "marks", ["\u0301\u0316", "\u0f73", "\uff9e\u0316", "\u0301\u200b\u0316", "\u0301\ufe0f\u034f\u0316"]
)
@pytest.mark.parametrize("field", ["next", "login", "password"])
def test_a_tower_of_marks_is_no_text(client_for, field, marks):
    browser = client_for(None, host="acme")
    form = {"login": "somebody@acme.example", "password": PASSWORD, field: "http://a" + marks * 101}
    assert browser.post("/accounts/login/", form).status_code == 400
    assert browser.get("/accounts/login/", {"next": "http://a" + marks * 101}).status_code == 400


def test_a_tower_that_an_older_rule_took_has_to_be_shortened(cast, client_for, acme, make_mailbox):
    """What is stored stays while the rest is changed, but for this."""
    mailbox = make_mailbox("Journal").mailbox
    with tenant_context(acme):
        Mailbox.objects.filter(pk=mailbox.pk).update(description="a" + "\u0301" * 101)
    page = client_for(cast.admin).get(f"/mailboxes/{mailbox.pk}/edit/")
    assert presses(page, "Save changes", name="Archive").status_code == 400
    assert presses(page, "Save changes", name="Archive", description="á").status_code == 302
    with tenant_context(acme):
        mailbox.refresh_from_db()
    assert (mailbox.name, mailbox.description) == ("Archive", "á")


def test_in_the_cookie_of_a_session(client_for):
    browser = client_for(None, host="acme")
    browser.cookies["sessionid"] = "a\0b"
    assert browser.get("/mailboxes/").status_code == 400


def test_who_types_a_per_cent_sign_and_two_noughts_is_understood(client_for, cast):
    browser = client_for(None, host="acme")
    assert browser.post("/accounts/login/", {"login": "100%00", "password": PASSWORD}).status_code == 200
    body = "login=100%2500&password=x"
    assert browser.post("/accounts/login/", body, content_type=FORM).status_code == 200


def test_any_number_of_letters_may_have_marks(cast, client_for):
    browser = client_for(None, host="acme")
    words = "s\u0323\u0307" * 100 + "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd" * 100
    assert browser.post("/accounts/login/", {"login": words, "password": PASSWORD}).status_code == 200
