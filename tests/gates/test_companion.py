"""Sessions go with a companion: what another website below the same domain puts into a browser is nobody's here."""

import re
from urllib.parse import urlsplit

import pytest
from django.contrib.sessions.models import Session

from portal.gates.companion import COMPANION
from tests.cast import PASSWORD

BASE, ACME = "portal.localhost", "acme.portal.localhost"
LOGIN = "/accounts/login/"


class Browser:
    """A browser that knows which cookies go to which host, as Django's client does not."""

    def __init__(self, client_for):
        self._new = client_for
        self.shared, self.own = {}, {}

    def asks(self, method, host, path, data=None, **headers):
        client = self._new(host=None)
        cookies = self.shared | self.own.setdefault(host, {})
        header = "; ".join(f"{name}={value}" for name, value in cookies.items())
        answer = getattr(client, method)(path, data, headers={"host": host, "cookie": header} | headers)
        for name, morsel in answer.cookies.items():
            jar = self.shared if morsel["domain"] else self.own[host]
            jar.pop(name, None)
            if morsel.value:
                jar[name] = morsel.value
        return answer

    def opens(self, host, path):
        """Follows redirects from host to host; gives where it ends, and what it gets there."""
        for _ in range(9):
            answer = self.asks("get", host, path)
            if answer.status_code != 302:
                return host, path, answer
            to = urlsplit(answer["Location"])
            host, path = to.netloc or host, to.path + (f"?{to.query}" if to.query else "")
        raise AssertionError(f"led round and round: {path}")

    def signs_in(self, host, user):
        answer = self.asks("post", host, LOGIN, {"login": user.email, "password": PASSWORD})
        assert answer.status_code == 302
        return self

    def is_in(self, host):
        return self.opens(host, "/settings/")[1] == "/settings/"


@pytest.fixture
def browser(client_for):
    return Browser(client_for)


@pytest.fixture
def mallorys(cast, client_for):
    """Mallory's browser, in which she has signed in and been to the host of her customer."""
    browser = Browser(client_for).signs_in(BASE, cast.mallory)
    assert browser.is_in("globex.portal.localhost")
    return browser


@pytest.mark.parametrize(("first", "then"), [(BASE, ACME), (ACME, BASE)])
def test_one_sign_in_opens_the_other_hosts_at_the_page_that_was_asked_for(cast, browser, first, then):
    browser.signs_in(first, cast.owner)
    host, path, answer = browser.opens(then, "/settings/?from=a%2Fmail")
    assert (host, path, answer.status_code) == (then, "/settings/?from=a%2Fmail", 200)
    assert COMPANION in browser.own[first] and COMPANION in browser.own[then]
    assert COMPANION not in browser.shared


def test_no_address_on_the_way_holds_what_was_asked_for(cast, browser):
    browser.signs_in(ACME, cast.owner)
    answer = browser.asks("get", BASE, "/invitations/a-secret/")
    assert answer.status_code == 302 and "secret" not in answer["Location"]


def test_somebody_elses_session_put_over_the_open_one_is_nobodys(cast, browser, mallorys):
    browser.signs_in(ACME, cast.admin)
    own = browser.shared["sessionid"]
    browser.shared["sessionid"] = mallorys.shared["sessionid"]
    for host in (ACME, BASE, "globex.portal.localhost"):
        assert not browser.is_in(host)
    browser.shared["sessionid"] = own
    assert browser.is_in(ACME)


def test_nor_is_it_in_a_browser_that_was_never_here(browser, mallorys):
    browser.shared["sessionid"] = mallorys.shared["sessionid"]
    assert not browser.is_in("globex.portal.localhost")


def test_who_vouches_for_their_own_session_puts_it_into_no_other_browser(browser, mallorys):
    there = "globex.portal.localhost"
    mallorys.own[there].clear()
    question = mallorys.asks("get", there, "/settings/")["Location"]
    word = mallorys.asks("get", BASE, question.partition(BASE)[2])["Location"]
    browser.shared["sessionid"] = mallorys.shared["sessionid"]
    browser.asks("get", there, "/settings/")  # it waits for a word, too
    arrival = browser.asks("get", there, word.partition(there)[2])
    assert arrival["Location"].startswith(LOGIN)
    assert not browser.is_in(there)
    assert mallorys.asks("get", there, word.partition(there)[2])["Location"] == "/settings/"


def test_a_word_is_given_to_hosts_of_ours_alone(browser, mallorys):
    for forged in ("", "x", "evil.example"):
        assert mallorys.asks("get", BASE, f"/accounts/vouch/?for={forged}")["Location"] == "/"


def test_two_sessions_in_one_request_are_refused_and_what_others_can_have_set_is_deleted(
    cast, browser, mallorys, client_for, caplog
):
    browser.signs_in(ACME, cast.admin)
    own, tossed = browser.shared["sessionid"], mallorys.shared["sessionid"]
    for both in ((own, tossed), (tossed, own)):
        cookies = "; ".join(
            [*(f"sessionid={one}" for one in both), f"{COMPANION}={browser.own[ACME][COMPANION]}"]
        )
        answer = client_for().get("/mailboxes/", headers={"cookie": cookies})
        assert answer.status_code == 400
        assert "two sign-ins" in answer.content.decode()
        deleted = {(one["domain"], one["path"]) for one in answer.cookies.values() if one.key == "sessionid"}
        assert {("", "/"), (BASE, "/mailboxes"), (BASE, "/mailboxes/")} <= deleted
        assert (BASE, "/") not in deleted
    assert "two session cookies" in caplog.text
    assert Session.objects.filter(session_key=own).exists() and browser.is_in(ACME)


def test_a_part_of_a_page_is_not_led_to_another_host(cast, browser):
    browser.signs_in(BASE, cast.owner)
    answer = browser.asks("get", ACME, "/mailboxes/", **{"HX-Request": "true"})
    assert answer["HX-Refresh"] == "true"
    assert browser.is_in(ACME)


def test_signing_out_on_one_host_ends_it_on_all(cast, browser):
    browser.signs_in(BASE, cast.owner)
    assert browser.is_in(ACME)
    form = re.search(r'action="(/accounts/logout/)"', browser.opens(ACME, "/settings/")[2].content.decode())
    browser.asks("post", ACME, form[1])
    assert not browser.is_in(ACME) and not browser.is_in(BASE)
