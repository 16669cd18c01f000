"""One's own password: type the current one, a new one is displayed, OK saves it."""

import html
import logging
import re

import pytest
from asgiref.sync import async_to_sync
from django.contrib.sessions.models import Session
from django.core import signing

from accounts import services
from accounts.actors import SYSTEM
from accounts.errors import PasswordAlreadySaved, PasswordOfferOutdated, SamePassword
from accounts.models import User
from tests.accounts.factors import confirms
from tests.cast import PASSWORD
from tests.pages import presses

RESET = "/settings/password/"
CHOOSE = "/settings/password/choose/"
LOGIN = "/accounts/login/"
GOOD = "seven-lamps-under-water"
NOWHERE = {"keep": None, "ip": "", "user_agent": ""}


def shown(page):
    return re.search(r'id="generated-password"[^>]*>([^<]*)<', page.content.decode())[1]


def text(page):
    return html.unescape(page.content.decode())


def token(page):
    return html.unescape(re.search(r'name="token" value="([^"]*)"', page.content.decode())[1])


def offered(client, password=PASSWORD):
    return client.post(RESET, {"current_password": password})


def chosen(client, new=GOOD, again=None, current=PASSWORD):
    fields = {"current_password": current, "new_password": new, "new_password_again": again or new}
    return client.post(CHOOSE, fields)


def opens(user, password):
    return User.objects.get(pk=user.pk).check_password(password)


def signs_in(client, password, login="admin@acme.example"):
    client.post(LOGIN, {"login": login, "password": password})
    return "_auth_user_id" in client.session


# --- A new one is displayed ---
@pytest.mark.parametrize("host", [None, "acme"])
def test_the_new_password_is_displayed_and_valid_once_ok_is_pressed(cast, client_for, host):
    client = client_for(cast.admin, host=host)
    page = presses(client.get(RESET), "Show the new password", current_password=PASSWORD)
    new = shown(page)
    assert len(new) >= 20
    assert opens(cast.admin, PASSWORD) and not opens(cast.admin, new)
    assert presses(page, "OK")["Location"] == "/settings/"
    saved = client.get("/settings/")
    assert [message.level_tag for message in saved.context["messages"]] == ["success"]
    assert opens(cast.admin, new) and not opens(cast.admin, PASSWORD)
    assert signs_in(client_for(), new)


def test_who_does_not_press_ok_keeps_the_old_one(cast, client_for):
    client = client_for(cast.admin)
    offered(client)
    client.get("/settings/")
    assert opens(cast.admin, PASSWORD)
    assert signs_in(client_for(), PASSWORD)


def test_each_time_another_one_is_displayed(cast, client_for):
    client = client_for(cast.admin)
    assert shown(offered(client)) != shown(offered(client))


def test_the_other_sessions_end_and_this_one_goes_on_under_a_new_key(cast, client_for):
    here, there = client_for(cast.admin), client_for(cast.admin, host=None)
    stranger = client_for(cast.viewer)
    assert there.get("/settings/").status_code == 200
    before = here.session.session_key
    here.post(RESET, {"token": token(offered(here))})
    assert here.get("/settings/").status_code == 200
    assert here.session.session_key != before
    assert there.get("/settings/").status_code == 302
    assert not Session.objects.filter(session_key=before).exists()
    assert stranger.get("/settings/").status_code == 200


def test_the_session_that_goes_on_is_still_listed_and_ended_from_another_one(cast, client_for):
    here = client_for(cast.admin)
    chosen(here)
    there = client_for(host=None)
    assert signs_in(there, GOOD)
    assert len(there.get("/settings/sessions/").context["sessions"]) == 2
    services.end_other_sessions(cast.admin, by=cast.admin, keep=there.session.session_key)
    assert here.get("/settings/").status_code == 302


@pytest.mark.parametrize("way", ["offered", "chosen"])
def test_whoever_calls_for_it_the_other_sessions_end_and_the_person_is_told(cast, client_for, post, way):
    here, there = client_for(cast.admin), client_for(cast.admin, host=None)
    for client in (here, there):
        client.get("/settings/")
    kept = here.session.session_key
    where = {"keep": kept, "ip": "192.0.2.7", "user_agent": ""}
    with post.of() as mails:
        if way == "offered":
            offer = services.offer_password(cast.admin, by=cast.admin)
            services.accept_password(cast.admin, offer.token, by=cast.admin, **where)
        else:
            services.choose_password(cast.admin, GOOD, by=cast.admin, **where)
    assert [session.session_key for session in Session.objects.all()] == [kept]
    (mail,) = mails
    assert mail.subject == "Your password was changed" and "192.0.2.7" in mail.body


def test_who_is_refused_ends_no_session_and_is_sent_no_mail(cast, client_for, post):
    client = client_for(cast.admin)
    client.get("/settings/")
    with post.of() as mails, pytest.raises(SamePassword):
        services.choose_password(cast.admin, PASSWORD, by=cast.admin, **NOWHERE)
    assert mails == []
    assert client.get("/settings/").status_code == 200


def test_the_page_with_the_password_is_kept_by_no_cache(cast, client_for):
    client = client_for(cast.admin)
    for page in (client.get(RESET), offered(client), client.get(CHOOSE)):
        assert "no-store" in page["Cache-Control"]


def test_the_pages_need_the_forms_token(cast, client_for):
    client = client_for(cast.admin, enforce_csrf_checks=True)
    assert offered(client).status_code == 403
    assert chosen(client).status_code == 403
    assert opens(cast.admin, PASSWORD)


# --- Refused ---
@pytest.mark.parametrize(
    "wrong", ["not-my-password-at-all", PASSWORD.upper(), "", f" {PASSWORD}", "x" * 5000]
)
def test_without_the_current_password_nothing_is_displayed(cast, client_for, wrong):
    page = offered(client_for(cast.admin), wrong)
    assert page.status_code == 200
    assert page.context["form"].errors["current_password"]
    assert 'id="generated-password"' not in page.content.decode()
    assert 'name="token"' not in page.content.decode()


def test_somebody_elses_password_is_not_the_current_one(cast, client_for):
    cast.viewer.set_password(GOOD)
    cast.viewer.save()
    assert offered(client_for(cast.admin), GOOD).context["form"].errors


def test_guesses_are_stopped_and_count_with_those_at_the_sign_in(cast, client_for):
    client = client_for(cast.admin)
    for number in range(5):
        (offered if number % 2 else chosen)(
            client, *(["guess-number"] if number % 2 else [GOOD, GOOD, "guess"])
        )
    assert "too many" in offered(client).context["form"].errors["current_password"][0]
    assert "too many" in chosen(client).context["form"].errors["current_password"][0]
    assert not signs_in(client_for(host="globex"), PASSWORD)
    assert opens(cast.admin, PASSWORD)


def test_right_ones_use_up_no_guesses(cast, client_for):
    client = client_for(cast.admin)
    for _ in range(7):
        assert shown(offered(client))


def test_ok_works_once(cast, client_for):
    client = client_for(cast.admin)
    brought = {"token": token(offered(client))}
    client.post(RESET, brought)
    after = User.objects.get(pk=cast.admin.pk).password
    again = client.post(RESET, brought)
    assert "saved already: the one that was just shown" in text(again)
    assert User.objects.get(pk=cast.admin.pk).password == after


def test_the_later_of_two_presses_at_once_is_told_that_its_password_is_valid(cast, client_for):
    token_shown = token(offered(client_for(cast.admin)))
    first, second, third = (User.objects.get(pk=cast.admin.pk) for _ in range(3))
    services.accept_password(first, token_shown, by=SYSTEM, **NOWHERE)
    with pytest.raises(PasswordAlreadySaved):
        services.accept_password(second, token_shown, by=SYSTEM, **NOWHERE)
    with pytest.raises(PasswordOfferOutdated):
        services.choose_password(third, GOOD, by=SYSTEM, **NOWHERE)

    first, second = (User.objects.get(pk=cast.admin.pk) for _ in range(2))
    services.choose_password(first, GOOD, by=SYSTEM, **NOWHERE)
    with pytest.raises(PasswordAlreadySaved):
        services.choose_password(second, GOOD, by=SYSTEM, **NOWHERE)
    assert opens(cast.admin, GOOD)


def test_of_two_open_pages_the_second_says_that_its_password_is_not_valid(cast, client_for):
    client = client_for(cast.admin)
    first, second = offered(client), offered(client)
    client.post(RESET, {"token": token(first)})
    assert "has been changed since" in client.post(RESET, {"token": token(second)}).content.decode()
    assert opens(cast.admin, shown(first)) and not opens(cast.admin, shown(second))


def test_one_persons_page_serves_nobody_else(cast, client_for):
    page = offered(client_for(cast.viewer))
    refused = client_for(cast.admin).post(RESET, {"token": token(page)})
    assert "can't be used any more" in text(refused)
    assert opens(cast.admin, PASSWORD) and opens(cast.viewer, PASSWORD)


@pytest.mark.parametrize(
    "altered", ["", "x", "a:b:c", lambda token: token[:-1] + "_", lambda token: "A" + token]
)
def test_what_was_altered_is_refused(cast, client_for, altered):
    client = client_for(cast.admin)
    brought = altered(token(offered(client))) if callable(altered) else altered
    assert "can't be used any more" in text(client.post(RESET, {"token": brought}))
    assert opens(cast.admin, PASSWORD)


def test_what_was_signed_for_something_else_is_refused(cast, client_for):
    forged = signing.dumps({"by": cast.admin.pk, "instead_of": "", "hash": "!"}, salt="something.else")
    assert "can't be used any more" in text(client_for(cast.admin).post(RESET, {"token": forged}))


def test_after_an_hour_the_page_can_not_be_used(cast, client_for, monkeypatch):
    from accounts.services import passwords

    client = client_for(cast.admin)
    page = offered(client)
    monkeypatch.setattr(passwords, "OFFER_SECONDS", -1)
    assert "too long ago" in client.post(RESET, {"token": token(page)}).content.decode()
    assert opens(cast.admin, PASSWORD)


# --- Chosen ---
def test_people_may_choose_their_own(cast, client_for):
    here, there = client_for(cast.admin), client_for(cast.admin, host=None)
    there.get("/settings/")
    assert chosen(here)["Location"] == "/settings/"
    assert opens(cast.admin, GOOD)
    assert here.get("/settings/").status_code == 200
    assert there.get("/settings/").status_code == 302


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("short", "at least 12"),
        ("administrator", "too common"),
        ("admin@acme.example", "too similar"),
        (PASSWORD, "that you have now"),
    ],
)
def test_a_weak_one_is_refused_with_the_reason(cast, client_for, new, why):
    page = chosen(client_for(cast.admin), new)
    assert any(why in error for error in page.context["form"].errors["new_password"])
    assert opens(cast.admin, PASSWORD)


def test_the_own_name_is_no_password(cast, client_for):
    cast.admin.name = "Margarethe von der Wiese"
    cast.admin.save()
    page = chosen(client_for(cast.admin), "margarethe-von-der-wiese")
    assert page.context["form"].errors["new_password"] == ["The password is too similar to the name."]
    assert opens(cast.admin, PASSWORD)


def test_both_have_to_be_the_same(cast, client_for):
    page = chosen(client_for(cast.admin), GOOD, GOOD + "x")
    assert page.context["form"].errors["new_password_again"]
    assert opens(cast.admin, PASSWORD)


@pytest.mark.parametrize("current", ["not-my-password-at-all", ""])
def test_choosing_takes_the_current_password_too(cast, client_for, current):
    page = chosen(client_for(cast.admin), current=current)
    assert page.context["form"].errors["current_password"]
    assert opens(cast.admin, PASSWORD)


def test_nothing_typed_is_sent_back(cast, client_for):
    page = chosen(client_for(cast.admin), "short", current=PASSWORD).content.decode()
    assert PASSWORD not in page and 'value="short"' not in page


def test_who_has_no_password_here_is_told_why(cast, client_for):
    cast.admin.set_unusable_password()
    cast.admin.save()
    client = client_for(cast.admin)
    for path in (RESET, CHOOSE):
        for answer in (client.get(path, follow=True), client.post(path, {"token": "x"}, follow=True)):
            assert answer.redirect_chain == [("/settings/", 302)]
            assert "through your organization" in answer.content.decode()
    assert f'href="{RESET}"' not in client.get("/settings/").content.decode()


# --- When the hasher has become stronger ---
@pytest.fixture
def hashed_anew(cast, client_for, settings):
    """Acme's admin, signed in before; whoever types the right password now gets it hashed by the new hasher."""
    client = client_for(cast.admin)
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    yield client
    assert User.objects.get(pk=cast.admin.pk).password.startswith("scrypt$")
    assert client.get("/settings/").status_code == 200


def test_choosing_another_password_succeeds_and_signs_nobody_out(cast, hashed_anew):
    assert chosen(hashed_anew)["Location"] == "/settings/"
    assert opens(cast.admin, GOOD)


def test_the_displayed_password_can_be_saved(cast, hashed_anew):
    page = offered(hashed_anew)
    assert hashed_anew.post(RESET, {"token": token(page)})["Location"] == "/settings/"
    assert opens(cast.admin, shown(page))


def test_confirming_signs_nobody_out(hashed_anew):
    assert confirms(hashed_anew, next="/settings/")["Location"] == "/settings/"


@pytest.mark.parametrize(
    "check", [User.check_password, async_to_sync(User.acheck_password)], ids=["sync", "async"]
)
def test_an_old_password_does_not_come_back_over_one_that_is_chosen_meanwhile(
    cast, client_for, settings, check
):
    asked = User.objects.get(pk=cast.admin.pk)  # by a sign-in that has read the old hash
    assert chosen(client_for(cast.admin))["Location"] == "/settings/"
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.ScryptPasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    assert not check(asked, PASSWORD)
    assert opens(cast.admin, GOOD)


# --- Nowhere else ---
def test_no_password_gets_into_mails_sessions_addresses_or_logs(cast, client_for, post, caplog):
    caplog.set_level(logging.DEBUG)
    client = client_for(cast.admin)
    with post.of() as mails:
        page = offered(client)
        new = shown(page)
        saved = client.post(RESET, {"token": token(page)})
        chosen(client, current=new)
    kept = [str(mail.message()) for mail in mails]
    kept += [str(session.get_decoded()) for session in Session.objects.all()]
    kept += [saved["Location"], str(client.cookies), caplog.text]
    assert len(mails) == 2
    for secret in (PASSWORD, new, GOOD):
        assert not [text for text in kept if secret in text]
    assert new not in signing.loads(token(page), salt="accounts.own-password").values()
