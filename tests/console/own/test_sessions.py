"""Where people are signed in: seen and ended, on all hosts."""

import re
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.tasks import clear_expired_sessions
from tests.cast import PASSWORD

SESSIONS = "/settings/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
)


@pytest.fixture
def signed_in(client_for):
    """A browser in which somebody has signed in with the password."""

    def sign_in(user, host="acme", browser=FIREFOX, address="192.0.2.7"):
        client = client_for(host=host, REMOTE_ADDR=address, HTTP_USER_AGENT=browser)
        client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
        assert client.get("/settings/").status_code == 200
        return client

    return sign_in


def is_in(client):
    return client.get("/settings/").status_code == 200


def row_of(client):
    return UserSession.objects.get(session_key=client.session.session_key)


def test_each_session_is_listed_with_device_address_and_time(cast, signed_in):
    here = signed_in(cast.admin)
    signed_in(cast.admin, None, IPHONE, "2001:db8::7")
    page = here.get(SESSIONS).content.decode()
    for text in ("Firefox on Linux", "192.0.2.7", "Safari on iPhone", "2001:db8::7"):
        assert text in page
    assert page.count("This session") == 1
    assert len(re.findall(r"<time ", page)) == 4


def test_nobody_elses_session_is_listed_and_no_key_is_shown(cast, signed_in):
    here, other = signed_in(cast.admin), signed_in(cast.viewer, address="198.51.100.1")
    page = here.get(SESSIONS).content.decode()
    assert "198.51.100.1" not in page
    assert here.session.session_key not in page and other.session.session_key not in page


def test_who_has_no_password_is_not_told_to_reset_it(cast, signed_in):
    client = signed_in(cast.admin)
    page = client.get(SESSIONS).content.decode()
    assert "then reset your password" in page and "leaves this session alone" in page
    cast.admin.set_unusable_password()
    cast.admin.save()
    client.force_login(cast.admin)
    page = client.get(SESSIONS).content.decode()
    assert "reset your password" not in page
    assert "secure your account at your organization" in page


def test_what_a_browser_says_of_itself_is_no_markup(cast, signed_in):
    here = signed_in(cast.admin, browser="<script>alert(1)</script> Firefox")
    page = here.get(SESSIONS).content.decode()
    assert "alert(1)" not in page


def test_a_session_is_good_beside_the_release_before(cast, signed_in):
    """It names who let its person in, and whoever is not named so in the settings lets nobody in."""
    client = signed_in(cast.admin)
    assert client.session["_auth_user_backend"] == "accounts.backends.AuthenticationBackend"
    assert client.get("/settings/sessions/").status_code == 200


def test_one_session_is_ended_on_all_hosts_at_once(cast, signed_in):
    here, there, third = signed_in(cast.admin), signed_in(cast.admin, None), signed_in(cast.admin)
    page = here.post(SESSIONS, {"session": row_of(there).pk}, follow=True)
    assert page.redirect_chain == [(SESSIONS, 302)]
    assert not is_in(there)
    assert is_in(here) and is_in(third)


def test_ending_the_session_at_hand_leads_to_the_sign_in(cast, signed_in):
    here, there = signed_in(cast.admin), signed_in(cast.admin)
    page = here.post(SESSIONS, {"session": row_of(here).pk}, follow=True)
    assert page.redirect_chain == [("/accounts/login/", 302)]
    assert [str(told) for told in page.context["messages"]] == ["That session has ended."]
    assert not is_in(here)
    assert is_in(there)


def test_everywhere_else_leaves_only_this_one(cast, signed_in):
    here, others = signed_in(cast.admin), [signed_in(cast.admin), signed_in(cast.admin, None, IPHONE)]
    viewer = signed_in(cast.viewer)
    here.post(SESSIONS, {"session": "others"})
    assert is_in(here) and is_in(viewer)
    assert not any(is_in(other) for other in others)


def test_everywhere_leaves_none(cast, signed_in):
    here, there, viewer = signed_in(cast.admin), signed_in(cast.admin, None), signed_in(cast.viewer)
    key = here.session.session_key
    answer = here.post(SESSIONS, {"session": "all"}, follow=True)
    assert answer.redirect_chain == [("/accounts/login/", 302)]
    assert "signed out everywhere" in answer.content.decode()
    assert not is_in(here) and not is_in(there)
    assert is_in(viewer)
    assert not Session.objects.filter(session_key=key).exists()


@pytest.mark.parametrize("wrong", ["", "0", "-1", "x", "999999999", "9" * 19, "9" * 5000, "1 OR 1=1", "²"])
def test_what_is_no_session_of_ones_own_ends_nothing(cast, signed_in, wrong):
    here, there = signed_in(cast.admin), signed_in(cast.admin)
    assert here.post(SESSIONS, {"session": wrong})["Location"] == SESSIONS
    assert is_in(here) and is_in(there)


def test_nobody_ends_somebody_elses_session(cast, signed_in):
    here, victim = signed_in(cast.mallory, "globex"), signed_in(cast.admin)
    page = here.post(SESSIONS, {"session": row_of(victim).pk}, follow=True)
    assert "has ended already" in page.content.decode()
    assert is_in(victim)


def test_ending_needs_the_forms_token(cast, client_for):
    client = client_for(cast.admin, enforce_csrf_checks=True)
    assert client.post(SESSIONS, {"session": "all"}).status_code == 403
    assert is_in(client)


def test_a_session_that_was_signed_out_is_no_longer_listed(cast, signed_in):
    here, there = signed_in(cast.admin), signed_in(cast.admin, None, IPHONE)
    there.post("/accounts/logout/")
    assert "iPhone" not in here.get(SESSIONS).content.decode()


def test_what_somebody_signed_in_is_shown_is_kept_by_no_browser(cast, signed_in):
    here = signed_in(cast.admin)
    for path in ("/mailboxes/", "/settings/", "/activity/", "/nothing/"):
        assert "no-store" in here.get(path)["Cache-Control"]
    answer = here.post("/accounts/logout/")
    assert "no-store" in answer["Cache-Control"]
    assert answer["Clear-Site-Data"] == '"cache"'
    assert "Clear-Site-Data" not in here.get("/accounts/login/")


def test_a_page_that_watches_writes_no_session(cast, signed_in):
    here = signed_in(cast.admin)

    def written():
        with CaptureQueriesContext(connection) as asked:
            assert here.get("/mailboxes/", headers={"HX-Request": "true"}).status_code == 200
        return [one["sql"] for one in asked if one["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]

    written()
    assert written() == written() == []
    UserSession.objects.update(last_seen_at=timezone.now() - timedelta(minutes=2))
    assert len(written()) == 1
    assert row_of(here).last_seen_at > timezone.now() - timedelta(minutes=1)


def test_who_only_looks_at_the_ways_in_leaves_no_session(cast, client_for):
    before = Session.objects.count()
    for host in (None, "acme"):
        for path in ("/accounts/login/", "/accounts/password/reset/", "/accounts/2fa/webauthn/login/", "/"):
            for kind in ("text/html", "application/json"):
                client_for(host=host).get(path, headers={"accept": kind})
    assert Session.objects.count() == before


def test_sessions_that_have_ended_by_themselves_are_swept_away(cast, signed_in):
    ended, living = signed_in(cast.admin), signed_in(cast.viewer)
    key = ended.session.session_key
    Session.objects.filter(session_key=key).update(expire_date=timezone.now() - timedelta(seconds=1))
    clear_expired_sessions()
    assert not Session.objects.filter(session_key=key).exists()
    assert is_in(living)
