"""The way back for who forgot the password: one answer for everybody, one link that works once."""

import logging
import re
import time
from urllib.parse import urlsplit

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.sessions.models import Session
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import translation
from django.utils.translation import gettext

from accounts.actors import SYSTEM
from accounts.errors import ResetLinkUsed
from accounts.models import PendingMail, User
from accounts.services import end_all_sessions, reset_forgotten_password, reset_link
from tenants import services
from tests.cast import PASSWORD

ASK = "/accounts/password/reset/"
DONE = "/accounts/password/reset/done/"
NEW = "seven-lamps-under-water"
ADMIN = "admin@acme.example"


@pytest.fixture
def link(client_for, post):
    """The link that somebody gets who asks for it."""

    def ask(email=ADMIN, host=None):
        with post.of() as mails:
            client_for(host=host).post(ASK, {"email": email})
        (mail,) = mails
        return re.search(r"http\S+/password/reset/key/\S+", mail.body)[0]

    return ask


def follow(client, link):
    return client.get(urlsplit(link).path, follow=True)


def choose(client, page, password=NEW, again=None):
    path = page.redirect_chain[-1][0] if page.redirect_chain else page.request["PATH_INFO"]
    return client.post(path, {"password1": password, "password2": again or password}, follow=True)


def opens(password):
    return User.objects.get(email=ADMIN).check_password(password)


def is_signed_in(client):
    return "_auth_user_id" in client.session


# --- The whole way ---
@pytest.mark.parametrize("host", [None, "acme"])
def test_who_forgot_the_password_chooses_another_by_the_link_in_the_mail(cast, client_for, link, host):
    assert f'href="{ASK}"' in client_for(host=host).get("/accounts/login/").content.decode()
    client = client_for(host=None)
    page = follow(client, link(host=host))
    assert "Choose a new password" in page.content.decode()
    saved = choose(client, page)
    assert "Your new password is saved" in saved.content.decode()
    assert "All sessions have ended." in saved.content.decode()
    assert not list(saved.context["messages"]), "which would say it a second time"
    assert opens(NEW) and not opens(PASSWORD)
    assert not is_signed_in(client)
    client.post("/accounts/login/", {"login": ADMIN, "password": NEW})
    assert is_signed_in(client)


def test_other_sessions_end(cast, client_for, link):
    thief = client_for(cast.admin)
    assert thief.get("/settings/").status_code == 200
    client = client_for(host=None)
    choose(client, follow(client, link()))
    assert thief.get("/settings/").status_code == 302


def key_of(person):
    return reset_link(person, by=SYSTEM).rstrip("/").split("/")[-1].partition("-")[2]


def test_the_verb_itself_asks_for_the_link(cast, client_for):
    """No face can forget to: there is no actor whom it could ask."""
    thief = client_for(cast.admin)
    used = key_of(cast.viewer)
    here = {"keep": None, "ip": "192.0.2.99", "user_agent": ""}
    reset_forgotten_password(cast.viewer, NEW, key=used, **here)
    for person, key in ((cast.admin, ""), (cast.admin, key_of(cast.owner)), (cast.viewer, used)):
        with pytest.raises(ResetLinkUsed):
            reset_forgotten_password(person, "some-other-words", key=key, **here)
    assert opens(PASSWORD)
    assert thief.get("/settings/").status_code == 200


def test_whoever_calls_for_it_other_sessions_end_and_the_person_is_told(cast, client_for, post):
    thief = client_for(cast.admin)
    thief.get("/settings/")
    with post.of() as mails:
        reset_forgotten_password(
            cast.admin, NEW, key=key_of(cast.admin), keep=None, ip="192.0.2.99", user_agent=""
        )
    assert not Session.objects.exists()
    assert [mail.subject for mail in mails] == ["Your password was reset"]


def test_who_is_signed_in_with_the_same_browser_is_signed_out_too(cast, client_for, link):
    client = client_for(cast.admin, host=None)
    saved = choose(client, follow(client, link()))
    assert saved.status_code == 200
    assert client.get("/settings/").status_code == 302


def test_somebody_elses_session_in_the_browser_does_not_get_the_new_password(cast, client_for, link):
    client = client_for(cast.owner, host=None)
    choose(client, follow(client, link()))
    assert opens(NEW)
    assert User.objects.get(pk=cast.owner.pk).check_password(PASSWORD)
    assert not is_signed_in(client)


def test_guesses_before_it_do_not_keep_people_out_afterwards(cast, client_for, link):
    for _ in range(6):
        client_for().post("/accounts/login/", {"login": ADMIN, "password": "a-wrong-guess"})
    client = client_for(host=None)
    choose(client, follow(client, link()))
    client.post("/accounts/login/", {"login": ADMIN, "password": NEW})
    assert is_signed_in(client)


@pytest.mark.parametrize("headers", [{"x-requested-with": "XMLHttpRequest"}, {"accept": "application/json"}])
def test_no_script_gets_what_was_typed(cast, client_for, link, headers):
    fields = {"password1": NEW, "password2": f"{NEW}x"}
    answer = client_for(host=None).post(urlsplit(link()).path, fields, headers=headers, follow=True)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/html")
    assert NEW not in answer.content.decode()


def test_the_second_factor_is_asked_for_as_always(cast, client_for, link):
    TOTP.activate(cast.admin, generate_totp_secret())
    client = client_for(host=None)
    choose(client, follow(client, link()))
    assert not is_signed_in(client)
    answer = client.post("/accounts/login/", {"login": ADMIN, "password": NEW})
    assert answer["Location"].startswith("/accounts/2fa/authenticate/")
    assert not is_signed_in(client)


# --- One answer ---
def test_known_and_unknown_addresses_get_one_answer(cast, client_for, post):
    User.objects.filter(pk=cast.viewer.pk).update(is_active=False)
    cast.auditor.set_unusable_password()
    cast.auditor.save()
    silent = ["nobody@acme.example", cast.viewer.email, cast.auditor.email]
    pages = []
    for email in [ADMIN, *silent]:
        client = client_for()
        with post.of() as mails:
            page = client.post(ASK, {"email": email}, follow=True)
        pages.append(page.content.decode())
        assert page.redirect_chain == [(DONE, 302)]
        assert [mail.to for mail in mails] == ([[ADMIN]] if email == ADMIN else [])
    assert len(set(pages)) == 1


def test_asking_looks_nobody_up_so_that_the_time_tells_nothing_either(cast, client_for):
    looked = []
    for email in (ADMIN, "nobody@acme.example"):
        client = client_for(host=None)
        with CaptureQueriesContext(connection) as captured:
            client.post(ASK, {"email": email})
        looked.append([query["sql"] for query in captured if "accounts_user" in query["sql"]])
    assert looked == [[], []]
    assert list(PendingMail.objects.values_list("email", flat=True)) == [ADMIN, "nobody@acme.example"]


@pytest.mark.parametrize(
    "email", ["", "no address", "admin@acme.example\nBcc: mallory@globex.example", "x" * 400]
)
def test_what_is_no_address_is_said_and_nothing_is_sent(cast, client_for, post, email):
    with post.of() as mails:
        page = client_for().post(ASK, {"email": email})
    assert page.status_code == 200
    assert page.context["form"].errors["email"]
    assert mails == []


def test_an_address_that_looks_alike_gets_nothing(cast, client_for, post):
    with post.of() as mails:
        client_for().post(ASK, {"email": "adm\u0131n@acme.example"})
    assert mails == []


def test_the_spelling_of_the_address_does_not_matter(cast, link):
    assert link("Admin@ACME.example")


def test_asking_again_and_again_is_stopped_for_unknown_addresses_alike(cast, client_for, post):
    for email in (ADMIN, "nobody@acme.example"):
        with post.of() as mails:
            answers = [client_for().post(ASK, {"email": email}).status_code for _ in range(6)]
        assert answers == [302] * 5 + [429]
        assert len(mails) == (5 if email == ADMIN else 0)


def test_an_hour_has_to_pass_before_the_next_five(cast, client_for, post, monkeypatch):
    def asks():
        return client_for().post(ASK, {"email": ADMIN}).status_code

    started = time.time()
    assert [asks() for _ in range(6)] == [302] * 5 + [429]
    monkeypatch.setattr(time, "time", lambda: started + 59 * 60)
    assert asks() == 429
    monkeypatch.setattr(time, "time", lambda: started + 61 * 60)
    assert asks() == 302


def test_strangers_do_not_use_up_the_owners_tries(cast, client_for, post):
    for number in range(8):
        stranger = client_for(REMOTE_ADDR=f"203.0.113.{number}")
        answer = stranger.post(ASK, {"email": ADMIN})
    assert answer.status_code == 429
    with post.of() as mails:
        answer = client_for(REMOTE_ADDR="192.0.2.7").post(ASK, {"email": ADMIN})
    assert answer.status_code == 302
    assert len(mails) == 1


def test_however_many_ask_from_everywhere_few_mails_go_out_and_the_last_link_works(cast, client_for, post):
    with post.of() as mails:
        for number in range(9):
            client_for(REMOTE_ADDR=f"198.51.{number}.1").post(ASK, {"email": ADMIN})
    assert len(mails) == 6
    client = client_for(host=None)
    choose(client, follow(client, re.search(r"http\S+/password/reset/key/\S+", mails[-1].body)[0]))
    assert opens(NEW)


# --- The link ---
@pytest.mark.parametrize("host", [None, "acme"])
def test_the_link_leads_to_the_configured_host_whatever_the_request_says(
    client_for, cast, post, settings, host
):
    client = client_for(host=host)
    spoofed = {"x-forwarded-host": "evil.example", "x-forwarded-port": "81", "forwarded": "host=evil.example"}
    with post.of() as mails:
        client.post(ASK, {"email": ADMIN}, headers=spoofed)
    addresses = re.findall(r"https?://\S+?(?=[\s.]?(?:\s|$))", mails[0].body)
    assert {urlsplit(address).netloc for address in addresses} == {f"portal.localhost:{settings.HTTP_PORT}"}
    assert "evil" not in str(mails[0].message())


def test_behind_tls_the_link_is_https(cast, link, settings):
    settings.SECURE_COOKIES = True
    assert link().startswith("https://portal.localhost/accounts/password/reset/key/")


def test_a_host_that_is_none_of_ours_gets_nothing_sent(cast, client_for, post):
    client = client_for(host=None)
    with post.of() as mails:
        answer = client.post(ASK, {"email": ADMIN}, headers={"host": "evil.example"})
    assert answer.status_code == 404
    assert mails == []


def test_it_works_once(cast, client_for, link):
    address = link()
    client = client_for(host=None)
    choose(client, follow(client, address))
    for browser in (client, client_for(host=None)):
        page = follow(browser, address)
        assert "This link does not work" in page.content.decode()
        assert "password1" not in page.content.decode()


class Interrupted(PBKDF2PasswordHasher):
    """While it hashes for one browser, another one saves."""

    meanwhile = []

    def encode(self, password, salt, iterations=None):
        if self.meanwhile:
            self.meanwhile.pop()()
        return super().encode(password, salt, 1)


def test_of_two_who_use_it_at_once_one_is_told_that_it_worked(cast, client_for, link, settings):
    address = link()
    one, other = client_for(host=None), client_for(host=None)
    pages = follow(one, address), follow(other, address)
    settings.PASSWORD_HASHERS = [f"{__name__}.Interrupted", *settings.PASSWORD_HASHERS]
    quicker = []
    Interrupted.meanwhile = [lambda: quicker.append(choose(other, pages[1]))]
    slower = choose(one, pages[0], "another-fine-password")
    assert "Your new password is saved" in quicker[0].content.decode()
    assert "This link does not work" in slower.content.decode()
    assert opens(NEW)


def test_a_link_that_is_made_void_while_its_password_is_hashed_changes_nothing(
    cast, client_for, link, settings
):
    client = client_for(host=None)
    page = follow(client, link())
    settings.PASSWORD_HASHERS = [f"{__name__}.Interrupted", *settings.PASSWORD_HASHERS]
    Interrupted.meanwhile = [lambda: end_all_sessions(cast.admin, by=SYSTEM)]
    assert "This link does not work" in choose(client, page).content.decode()
    assert not opens(NEW)


def test_of_two_links_the_second_is_void_when_the_first_was_used(cast, client_for, link):
    first, second = link(), link()
    client = client_for(host=None)
    choose(client, follow(client, first))
    assert "This link does not work" in follow(client_for(host=None), second).content.decode()


def test_a_form_left_open_does_not_work_after_another_was_sent(cast, client_for, link):
    address = link()
    one, other = client_for(host=None), client_for(host=None)
    open_page = follow(one, address)
    choose(other, follow(other, address))
    assert "This link does not work" in choose(one, open_page, "another-fine-password").content.decode()
    assert opens(NEW)


def test_it_expires(cast, client_for, link, settings):
    address = link()
    settings.PASSWORD_RESET_TIMEOUT = -1
    assert "This link does not work" in follow(client_for(host=None), address).content.decode()


def test_it_says_how_long_it_works(cast, client_for, post, settings):
    settings.PASSWORD_RESET_TIMEOUT = 1800
    with post.of() as mails:
        page = client_for().post(ASK, {"email": ADMIN}, follow=True)
    for said in (mails[0].body, page.content.decode()):
        assert "for 30 minutes" in " ".join(said.split())


@pytest.mark.parametrize(
    "change", [lambda link: link[:-2] + "/", lambda link: re.sub(r"key/\w+-", "key/1-", link)]
)
def test_an_altered_one_does_not_work(cast, client_for, link, change):
    assert "This link does not work" in follow(client_for(host=None), change(link())).content.decode()


def test_it_does_not_open_a_closed_account(cast, client_for, link):
    address = link()
    User.objects.filter(email=ADMIN).update(is_active=False)
    client = client_for(host=None)
    page = follow(client, address)
    if "password1" in page.content.decode():
        choose(client, page)
    client.post("/accounts/login/", {"login": ADMIN, "password": NEW})
    assert not is_signed_in(client)


def test_it_does_not_work_after_the_address_has_changed(cast, client_for, link):
    address = link()
    User.objects.filter(email=ADMIN).update(email="new@acme.example")
    assert "This link does not work" in follow(client_for(host=None), address).content.decode()


def test_it_does_not_come_to_life_again_with_an_account_that_was_switched_off(cast, client_for, link):
    address = link()
    services.switch_off(cast.admin, by=cast.staff)
    services.switch_on(cast.admin, by=cast.staff)
    assert "This link does not work" in follow(client_for(host=None), address).content.decode()


def test_the_key_leaves_the_address_bar_before_the_form(cast, client_for, link):
    address = link()
    page = follow(client_for(host=None), address)
    key = urlsplit(address).path.split("-", 1)[1].rstrip("/")
    assert key not in page.redirect_chain[-1][0]
    assert key not in page.content.decode()


@pytest.mark.parametrize(
    ("new", "again", "field"),
    [("short", None, "password1"), (ADMIN, None, "password1"), (NEW, NEW + "x", "password2")],
)
def test_a_weak_or_mistyped_one_is_refused(cast, client_for, link, new, again, field):
    client = client_for(host=None)
    page = choose(client, follow(client, link()), new, again)
    assert page.context["form"].errors[field]
    assert opens(PASSWORD)


def test_asking_alone_changes_nothing(cast, client_for, link):
    here = client_for(cast.admin)
    link()
    assert opens(PASSWORD)
    assert here.get("/settings/").status_code == 200


# --- The mails ---
def test_the_mail_is_in_the_persons_language(cast, client_for, post):
    User.objects.filter(email=ADMIN).update(language="de")
    with post.of() as mails:
        client_for().post(ASK, {"email": ADMIN}, headers={"accept-language": "en"})
    with translation.override("de"):
        assert mails[0].subject == gettext("Choose a new password")


@pytest.mark.parametrize(("asked", "told"), [("fr-CH, fr", "fr"), ("xx", "en")])
def test_for_who_has_chosen_no_language_it_is_in_that_of_the_page(cast, client_for, post, asked, told):
    assert cast.admin.language == ""
    with post.of() as mails:
        client_for(HTTP_ACCEPT_LANGUAGE=asked).post(ASK, {"email": ADMIN})
    with translation.override(told):
        assert mails[0].subject == gettext("Choose a new password")


def test_a_language_that_we_do_not_have_is_english(cast, post, mailoutbox):
    with post.of() as mails:
        PendingMail.objects.create(kind="account/email/password_reset_key", email=ADMIN, language="../x")
    assert mails[0].subject == "Choose a new password"


def test_afterwards_the_person_hears_that_it_was_done(cast, client_for, link, post):
    client = client_for(host=None, HTTP_USER_AGENT="Firefox Linux", REMOTE_ADDR="192.0.2.99")
    page = follow(client, link())
    with post.of() as mails:
        choose(client, page)
    (mail,) = mails
    assert mail.to == [ADMIN] and mail.subject == "Your password was reset"
    assert "192.0.2.99" in mail.body and "Firefox on Linux" in mail.body


def test_no_password_and_no_link_gets_into_logs(cast, client_for, link, caplog):
    caplog.set_level(logging.DEBUG)
    address = link()
    client = client_for(host=None)
    choose(client, follow(client, address))
    key = urlsplit(address).path.split("-", 1)[1].rstrip("/")
    told = "\n".join(record.getMessage() for record in caplog.records if record.name != "django.db.backends")
    assert NEW not in told and key not in told
