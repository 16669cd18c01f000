"""An authenticator app and recovery codes: on all hosts alike, each code once, no secret in clear anywhere."""

import json
import re
from importlib import import_module

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core import serializers
from django.db import ProgrammingError, connection

from accounts import second_factor
from accounts.models import User
from accounts.services import changing_factors
from portal import settings as portal_settings
from tenants import identity
from tests.accounts.factors import (
    ACTIVATE,
    CODE,
    CODES,
    CONFIRM_BY_CODE,
    DOWNLOAD,
    GENERATE,
    LOGIN,
    REMOVE_APP,
    SECURITY,
    Passkey,
    adds_a_passkey,
    confirms,
    half_way,
    is_signed_in,
    sets_up_an_app,
    shown_codes,
    shown_secret,
    sign_in,
)
from tests.cast import PASSWORD

pytest_plugins = ["tests.accounts.openid.portal"]

HOSTS = pytest.mark.parametrize("host", [None, "acme"])


@pytest.fixture
def codes(with_app, cast, client_for):
    client = client_for(cast.admin)
    confirms(client)
    return shown_codes(client.get(CODES).content.decode())


# --- An authenticator app ---
@HOSTS
def test_with_an_app_the_password_alone_no_longer_signs_in(with_app, cast, client_for, clock, host):
    client = half_way(client_for, cast, host)
    assert not is_signed_in(client)
    assert client.get("/settings/")["Location"].startswith(LOGIN)
    assert client.get(CODE).status_code == 200
    assert client.post(CODE, {"code": clock.code(with_app)})["Location"] == "/"
    assert is_signed_in(client)
    assert client.get("/settings/").status_code == 200


def test_signing_in_leads_on_to_where_the_person_wanted_to_go(with_app, cast, client_for, clock):
    client = half_way(client_for, cast, next="/settings/")
    assert client.post(CODE, {"code": clock.code(with_app)})["Location"] == "/settings/"


def test_a_code_begun_on_one_host_can_be_given_on_another(with_app, cast, client_for, clock):
    client = half_way(client_for, cast, "acme")
    base = client_for(host=None)
    base.cookies = client.cookies
    base.post(CODE, {"code": clock.code(with_app)})
    assert is_signed_in(base)


def test_the_code_page_is_nobodys_without_the_password(with_app, client_for, clock):
    client = client_for()
    assert client.get(CODE)["Location"] == LOGIN
    assert client.post(CODE, {"code": clock.code(with_app)})["Location"] == LOGIN
    assert not is_signed_in(client)


def test_a_wrong_code_is_refused_and_the_next_right_one_taken(with_app, cast, client_for, clock):
    client = half_way(client_for, cast)
    wrong = f"{(int(clock.code(with_app)) + 1) % 1_000_000:06}"
    page = client.post(CODE, {"code": wrong}).content.decode()
    assert "This code is wrong" in page
    assert not is_signed_in(client)
    client.post(CODE, {"code": clock.code(with_app)})
    assert is_signed_in(client)


def test_a_code_counts_once_on_all_hosts(with_app, cast, client_for, clock):
    first, second = half_way(client_for, cast, None), half_way(client_for, cast, "acme")
    code = clock.code(with_app)
    first.post(CODE, {"code": code})
    second.post(CODE, {"code": code})
    assert is_signed_in(first)
    assert not is_signed_in(second)
    clock.tick()
    second.post(CODE, {"code": clock.code(with_app)})
    assert is_signed_in(second)


def test_the_code_that_switched_the_app_on_signs_nobody_in(cast, client_for, clock):
    client = client_for(cast.admin)
    confirms(client)
    code = clock.code(shown_secret(client.get(ACTIVATE).content.decode()))
    client.post(ACTIVATE, {"code": code})
    thief = half_way(client_for, cast)
    thief.post(CODE, {"code": code})
    assert not is_signed_in(thief)


def test_a_code_that_was_typed_at_the_turn_of_the_half_minute_counts(with_app, cast, client_for, clock):
    code = clock.code(with_app)
    clock.tick()
    client = half_way(client_for, cast)
    client.post(CODE, {"code": code})
    assert is_signed_in(client)


def test_an_old_code_is_worth_nothing(with_app, cast, client_for, clock):
    old = clock.code(with_app)
    clock.tick()
    clock.tick()
    client = half_way(client_for, cast)
    client.post(CODE, {"code": old})
    assert not is_signed_in(client)


def test_guesses_at_codes_count_across_hosts_and_sessions(with_app, cast, client_for, clock):
    for host in ("acme", None, "globex", "initech", "acme"):
        half_way(client_for, cast, host).post(CODE, {"code": "nonsense"})
    client = half_way(client_for, cast, None)
    page = client.post(CODE, {"code": clock.code(with_app)}).content.decode()
    assert "too many" in page
    assert not is_signed_in(client)


def is_stopped(answer):
    return "too many" in answer.content.decode()


def test_ones_own_right_code_gives_the_network_no_more_guesses_at_others(cast, client_for, clock, settings):
    settings.ACCOUNT_RATE_LIMITS = portal_settings.ACCOUNT_RATE_LIMITS
    mallory = client_for(cast.mallory, host="globex")
    secret = sets_up_an_app(mallory, clock)
    stopped = []
    for number in range(20):
        if number in (9, 18):
            mallory.post(CONFIRM_BY_CODE, {"code": clock.code(secret)})
            clock.tick()
        guess = {"login": f"guess{number}@acme.example", "password": "wrong-password-here"}
        stopped.append(is_stopped(client_for().post(LOGIN, guess)))
    assert stopped == [False] * 10 + [True] * 10


def test_wrong_codes_and_wrong_passwords_of_a_network_count_together(with_app, cast, client_for, settings):
    clients = [half_way(client_for, cast) for _ in range(2)]
    settings.ACCOUNT_RATE_LIMITS = {"login_failed_ip": "3/m/ip"}
    clients[0].post(CODE, {"code": "nonsense"})
    sign_in(client_for(), "nobody@acme.example")
    client_for(cast.admin).post(CONFIRM_BY_CODE, {"code": "nonsense"})
    assert is_stopped(clients[1].post(CODE, {"code": "nonsense"}))
    assert is_stopped(sign_in(client_for(), cast.viewer.email))


def test_setting_up_takes_a_code_of_the_app(cast, client_for, clock):
    client = client_for(cast.admin)
    confirms(client)
    secret = shown_secret(client.get(ACTIVATE).content.decode())
    assert "This code is wrong" in client.post(ACTIVATE, {"code": "nonsense"}).content.decode()
    assert not second_factor.has_second_factor(cast.admin)
    client.post(ACTIVATE, {"code": clock.code(secret)})
    assert second_factor.has_second_factor(cast.admin)


def test_pressing_twice_sets_up_once_and_removes_nothing(cast, client_for, clock):
    client = client_for(cast.admin)
    confirms(client)
    given = {"code": clock.code(shown_secret(client.get(ACTIVATE).content.decode()))}
    assert client.post(ACTIVATE, given)["Location"] == CODES
    assert client.post(ACTIVATE, given)["Location"] == SECURITY
    assert second_factor.has_second_factor(cast.admin)


def test_a_page_loaded_twice_shows_one_secret(cast, client_for):
    client = client_for(cast.admin)
    confirms(client)
    first, second = (client.get(ACTIVATE).content.decode() for _ in range(2))
    assert shown_secret(first) == shown_secret(second)
    assert shown_secret(first) != shown_secret(_another(client_for, cast.viewer))


def _another(client_for, user):
    client = client_for(user)
    confirms(client)
    return client.get(ACTIVATE).content.decode()


def test_the_picture_can_be_shown_under_the_policy_and_on_dark_ground(cast, client_for):
    client = client_for(cast.admin)
    confirms(client)
    answer = client.get(ACTIVATE)
    assert 'src="data:image/svg+xml;base64,' in answer.content.decode()
    assert "<rect" in answer.context["totp_svg"] or "fill" in answer.context["totp_svg"]
    assert "no-store" in answer["Cache-Control"]


def test_removing_the_app_makes_the_password_suffice_again(with_app, cast, client_for):
    client = client_for(cast.admin)
    confirms(client)
    assert client.get(REMOVE_APP).status_code == 200
    client.post(REMOVE_APP)
    assert not Authenticator.objects.filter(user=cast.admin).exists()  # recovery codes go too
    again = client_for()
    assert sign_in(again, cast.admin.email)["Location"] == "/"


def test_the_first_factor_ends_sessions_that_took_a_password_only(cast, client_for, clock):
    elsewhere, here = client_for(host=None), client_for()
    for client in (elsewhere, here):
        sign_in(client, cast.admin.email)
    sets_up_an_app(here, clock)
    assert here.get(SECURITY).status_code == 200
    assert elsewhere.get(SECURITY)["Location"].startswith(LOGIN)


def test_by_whatever_way_the_first_factor_comes_it_ends_them_and_the_next_ends_none(cast, client_for):
    early, late = client_for(cast.admin, host=None), client_for(cast.admin, host=None)
    early.get(SECURITY)
    TOTP.activate(cast.admin, "A" * 32)  # no page, no signal of the library's
    assert early.get(SECURITY)["Location"].startswith(LOGIN)
    late.get(SECURITY)
    Authenticator.objects.create(user=cast.admin, type=Authenticator.Type.WEBAUTHN, data={"name": "Key"})
    assert late.get(SECURITY).status_code == 200


def test_a_closed_account_is_not_opened_by_its_code(with_app, cast, client_for, clock):
    client = half_way(client_for, cast)
    User.objects.filter(pk=cast.admin.pk).update(is_active=False)
    client.post(CODE, {"code": clock.code(with_app)})
    assert client.get("/settings/")["Location"].startswith(LOGIN)


# --- Half a sign-in ---
def is_over(client, code):
    """Whether the code, although it is the right one, leads to the sign-in, and that is shown."""
    answer = client.post(CODE, {"code": code}, follow=True)
    return answer.redirect_chain == [(LOGIN, 302)] and not is_signed_in(client)


def test_half_a_sign_in_ends_with_the_password_that_began_it(with_app, cast, client_for, clock):
    thief, owner = half_way(client_for, cast), client_for(cast.admin)
    new = "seven-lamps-under-water"
    fields = {"current_password": PASSWORD, "new_password": new, "new_password_again": new}
    assert owner.post("/settings/password/choose/", fields)["Location"] == "/settings/"
    assert is_over(thief, clock.code(with_app))


def test_half_a_sign_in_ends_when_the_identity_provider_is_switched_off(
    northwinds, openid, way_in, cast, client_for, clock
):
    secret = sets_up_an_app(client_for(cast.admin), clock)
    openid.knows(cast.admin.email)
    visitor, other = way_in(), way_in()
    for one in (visitor, other):
        assert one.signs_in(cast.admin.email)["Location"] == CODE
    assert other.client.post(CODE, {"code": clock.code(secret)})["Location"] == "/"
    clock.tick()
    identity.switch(northwinds, active=False, by=cast.owner)
    assert is_over(visitor.client, clock.code(secret))


def test_half_a_sign_in_ends_when_there_is_no_second_factor_to_wait_for(with_app, cast, client_for, clock):
    client = half_way(client_for, cast)
    Authenticator.objects.all().delete()  # as let_in does
    assert is_over(client, clock.code(with_app))
    assert sign_in(client, cast.admin.email)["Location"] == "/"


# --- Recovery codes ---
def test_a_recovery_code_signs_in_once(codes, cast, client_for):
    assert len(codes) == 10
    first, second, third = (half_way(client_for, cast) for _ in range(3))
    first.post(CODE, {"code": codes[0]})
    second.post(CODE, {"code": codes[0]})
    third.post(CODE, {"code": codes[1].replace(" ", "")})
    assert [is_signed_in(client) for client in (first, second, third)] == [True, False, True]
    assert second_factor.overview_of(cast.admin).codes_left == 8


def test_the_security_page_counts_the_codes_that_are_left_and_warns_in_time(codes, cast, client_for):
    assert "10 codes left" in client_for(cast.admin).get(SECURITY).content.decode()
    for code in codes[:8]:
        half_way(client_for, cast).post(CODE, {"code": code})
    page = client_for(cast.admin).get(SECURITY).content.decode()
    assert "2 codes left" in page
    assert "Make new ones in time." in page


def test_new_codes_end_the_old_ones(codes, cast, client_for):
    client = client_for(cast.admin)
    confirms(client)
    assert "10 codes that you have left stop working" in client.get(GENERATE).content.decode()
    assert client.post(GENERATE)["Location"] == CODES
    new = shown_codes(client.get(CODES).content.decode())
    assert not set(new) & set(codes)
    old = half_way(client_for, cast)
    old.post(CODE, {"code": codes[0]})
    assert not is_signed_in(old)


def test_the_codes_can_be_downloaded_as_text(codes, cast, client_for):
    client = client_for(cast.admin)
    confirms(client)
    answer = client.get(DOWNLOAD)
    assert answer["Content-Type"].startswith("text/plain")
    assert "no-store" in answer["Cache-Control"]
    assert [line for line in answer.content.decode().splitlines() if line[:1].isdigit()] == codes
    assert "no-store" in client.get(CODES)["Cache-Control"]


def test_nobody_has_recovery_codes_without_a_factor_that_they_stand_in_for(cast, client_for):
    client = client_for(cast.admin)
    confirms(client)
    assert client.get(CODES).status_code == 404
    assert "Set one of them up first" in client.post(GENERATE).content.decode()
    assert not Authenticator.objects.exists()


@pytest.mark.usefixtures("committed_db")
def test_whatever_takes_the_last_factor_takes_its_codes_too(codes, cast):
    """Also a ceremony that does not think of it."""
    with changing_factors(cast.admin, by=cast.admin, ip="192.0.2.1", user_agent="a browser"):
        Authenticator.objects.filter(user=cast.admin, type__in=second_factor.FACTORS).delete()

    assert not Authenticator.objects.filter(user=cast.admin).exists()


def test_codes_that_an_earlier_release_left_without_a_factor_are_gone(with_app, cast, client_for, clock):
    for person in (cast.viewer, cast.admin):
        Authenticator.objects.filter(user=person, type=Authenticator.Type.RECOVERY_CODES).delete()
        RecoveryCodes.activate(person)
    left = RecoveryCodes(Authenticator.objects.get(user=cast.viewer)).get_unused_codes()
    import_module("accounts.migrations.0009_no_codes_without_a_factor").remove(apps, None)
    assert second_factor.overview_of(cast.admin).codes_left == 10, "they stand in for a factor"
    client = client_for(cast.viewer)
    client.post(CONFIRM_BY_CODE, {"code": left[0]})
    assert client.get(ACTIVATE).status_code == 302, "a code that is left confirms nobody"
    sets_up_an_app(client, clock)
    anew = shown_codes(client.get(CODES).content.decode())
    assert len(anew) == 10 and not set(left) & {code.replace(" ", "") for code in anew}


# --- Secrets ---
def test_no_secret_stands_in_the_database(cast, client_for, clock):
    client = client_for(cast.admin)
    confirms(client)
    secret = shown_secret(client.get(ACTIVATE).content.decode())
    pending = json.dumps([session.get_decoded() for session in Session.objects.all()])
    assert secret not in pending
    client.post(ACTIVATE, {"code": clock.code(secret)})
    codes = shown_codes(client.get(CODES).content.decode())
    rows = serializers.serialize("json", Authenticator.objects.all())
    sessions = json.dumps([session.get_decoded() for session in Session.objects.all()])
    for kept in (rows, sessions):
        assert secret not in kept
        assert secret.lower() not in kept.lower()
        assert not any(code.replace(" ", "") in kept for code in codes)
    # And the search would find them: another portal's key makes nothing of the rows.
    assert re.findall(r'"secret": "gAAAA', rows)
    assert re.findall(r'"seed": "gAAAA', rows)


def test_an_earlier_secret_key_still_decrypts_what_it_encrypted(with_app, cast, client_for, clock, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key, as long as it should be, and then some more"
    client = half_way(client_for, cast)
    client.post(CODE, {"code": clock.code(with_app)})
    assert is_signed_in(client)


def test_with_the_key_lost_codes_are_refused_and_new_ones_can_be_made(
    with_app, cast, client_for, clock, settings
):
    settings.SECRET_KEY = "another key, as long as it should be, and then some more"
    client = half_way(client_for, cast)
    for code in (clock.code(with_app), clock.code("")):
        page = client.post(CODE, {"code": code}).content.decode()
        assert "Tell the platform&#x27;s staff." in page
    assert not is_signed_in(client)
    client = client_for(cast.admin)
    confirms(client)
    assert client.get(SECURITY).status_code == 200
    for path in (CODES, DOWNLOAD):
        assert client.get(path)["Location"] == GENERATE
    client.post(GENERATE)
    assert len(shown_codes(client.get(CODES).content.decode())) == 10


# --- One act ---
def removes_app(client, clock):
    return client.post(REMOVE_APP)


def removes_passkey(client, clock):
    passkey = Authenticator.objects.get(type=Authenticator.Type.WEBAUTHN)
    return client.post(f"/accounts/2fa/webauthn/keys/{passkey.pk}/remove/")


def sets_up_a_passkey(client, clock):
    return adds_a_passkey(client, Passkey())


def makes_codes(client, clock):
    return client.post(GENERATE)


@pytest.mark.parametrize(
    ("before", "act"),
    [
        ((), sets_up_an_app),
        ((), sets_up_a_passkey),
        ((sets_up_an_app,), removes_app),
        ((sets_up_a_passkey,), removes_passkey),
        ((sets_up_an_app,), makes_codes),
    ],
)
def test_no_factor_changes_without_its_line_in_the_trail(cast, client_for, clock, post, before, act):
    """Nor is anybody told of what has not come to pass."""
    client = client_for(cast.admin)
    confirms(client)
    for each in before:
        each(client, clock)
    kept = sorted(Authenticator.objects.values_list("pk", "type"))
    with post.of() as mails:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE tenants_auditevent RENAME TO trail_elsewhere")
        with pytest.raises(ProgrammingError):
            act(client, clock)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE trail_elsewhere RENAME TO tenants_auditevent")
    assert sorted(Authenticator.objects.values_list("pk", "type")) == kept
    assert mails == []


# --- Notices ---
def test_people_are_told_by_mail_in_their_language_and_no_mail_has_a_secret(cast, client_for, clock, post):
    User.objects.filter(pk=cast.admin.pk).update(language="en")
    client = client_for(cast.admin)
    with post.of() as mails:
        secret = sets_up_an_app(client, clock)
        codes = shown_codes(client.get(CODES).content.decode())
        client.post(GENERATE)
        client.post(REMOVE_APP)
    assert {mail.subject for mail in mails} == {
        "An authenticator app was added to your account",
        "New recovery codes were made for your account",
        "The authenticator app was removed from your account",
    }
    for mail in mails:
        assert mail.to == [cast.admin.email]
        assert "127.0.0.1" in mail.body
        assert "http" in mail.body
        assert not any(word in mail.body for word in [secret, *codes])
