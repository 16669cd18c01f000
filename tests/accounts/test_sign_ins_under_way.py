"""What ends all sessions of a person ends the sign-ins that are not complete yet, too: by whatever way, however late."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.account.signals import authentication_step_completed
from allauth.usersessions.models import UserSession
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connections, transaction
from django.db.models.signals import post_save

from accounts.mails import notices
from accounts.models import PendingMail, User
from tests.accounts.factors import (
    CODE,
    LOGIN,
    SECURITY,
    Passkey,
    adds_a_passkey,
    confirms,
    half_way,
    is_signed_in,
    sign_in,
    signs_in_with,
)
from tests.cast import PASSWORD
from tests.console.administration.forms import submit

pytest_plugins = ["tests.accounts.openid.portal"]

pytestmark = pytest.mark.usefixtures("committed_db")

SESSIONS = "/settings/sessions/"


@pytest.fixture
def staff(cast, client_for):
    """What staff do to Acme's admin at /admin/ with which all sessions end, each by its name."""
    path = f"/admin/accounts/user/{cast.admin.pk}/change/"

    def saves(**changes):
        assert submit(client_for(cast.staff, host=None), path, **changes).redirect_chain, "it was refused"

    def switch_off_and_on():
        saves(is_active=None)
        saves(is_active="on")

    return {
        "switched off": lambda: saves(is_active=None),
        "switched off and on": switch_off_and_on,
        "another address": lambda: saves(email="somebody@elsewhere.example"),
        "the address there and back": lambda: [saves(email=at) for at in ("a@b.example", cast.admin.email)],
        "more than before": lambda: saves(is_staff="on"),
    }


@pytest.fixture
def right_after():
    """Has an act done by another request, once: when the signal has come, and the transaction that it came in is over."""

    def do(signal, act, such=lambda **_sent: True):
        def as_another_request():
            try:
                act()
            finally:
                connections.close_all()

        def comes(**sent):
            if such(**sent):
                signal.disconnect(comes)
                transaction.on_commit(lambda: others.submit(as_another_request).result(30))

        signal.connect(comes, weak=False)

    with ThreadPoolExecutor(1) as others:
        yield do


def as_before(person):
    """The person as a test found them; sessions and guesses are nobody's."""
    person.save(update_fields=["email", "is_staff", "is_active"])
    for model in (Session, PendingMail, UserSession):
        model.objects.all().delete()
    cache.clear()


def is_out(client, person):
    """Whether nothing is left of a sign-in, and nothing told of it."""
    shut = client.get(SECURITY)["Location"].startswith(LOGIN) and not is_signed_in(client)
    told = PendingMail.objects.filter(kind=notices.NEW_DEVICE).exists()
    last = User.objects.get(pk=person.pk).last_login
    return shut and not told and last == person.last_login and not UserSession.objects.filter(user=person)


# --- Refused at its end ---
@pytest.fixture
def by_password(cast, client_for):
    return lambda: (client := client_for(host=None), lambda: sign_in(client, cast.admin.email))


@pytest.fixture
def by_passkey(cast, client_for):
    passkey, owner = Passkey(), client_for(cast.admin, host=None)
    confirms(owner)
    adds_a_passkey(owner, passkey)
    return lambda: (client := client_for(host=None), lambda: signs_in_with(client, passkey))


@pytest.fixture
def by_code(with_app, cast, client_for, clock):
    def begin():
        clock.tick()
        client = half_way(client_for, cast, host=None)
        return client, lambda: client.post(CODE, {"code": clock.code(with_app)})

    return begin


@pytest.fixture
def by_organization(northwinds, openid, way_in, cast):
    openid.knows(cast.admin.email)

    def begin():
        visitor = way_in()
        return visitor.client, lambda: visitor.signs_in(cast.admin.email)

    return begin


@pytest.mark.parametrize("way", ["by_password", "by_passkey", "by_code", "by_organization"])
def test_what_ends_all_sessions_ends_the_sign_in_whose_factor_was_just_judged(
    way, cast, staff, right_after, request
):
    begin = request.getfixturevalue(way)
    person = User.objects.get(pk=cast.admin.pk)
    for name in staff if way == "by_password" else ["switched off and on"]:
        as_before(person)
        client, goes_on = begin()
        right_after(authentication_step_completed, staff[name])
        assert goes_on()["Location"] == LOGIN, name
        assert is_out(client, person), name
    as_before(person)
    client, goes_on = begin()
    goes_on()
    assert is_signed_in(client)


def test_whoever_ends_all_sessions_finds_that_of_a_sign_in_that_was_completed_a_moment_before(
    cast, client_for, staff, right_after, by_password
):
    client, goes_on = by_password()
    right_after(user_logged_in, staff["switched off and on"], lambda user, **_sent: user == cast.admin)
    goes_on()
    assert client.get(SECURITY)["Location"].startswith(LOGIN)


@pytest.mark.parametrize("which", ["all", "others"])
def test_so_does_the_person_who_signs_out_everywhere_or_everywhere_else(
    which, cast, client_for, right_after, by_password
):
    me = client_for(cast.admin, host=None)
    client, goes_on = by_password()
    right_after(authentication_step_completed, lambda: me.post(SESSIONS, {"session": which}))
    assert goes_on()["Location"] == LOGIN
    assert not is_signed_in(client) and is_signed_in(me) == (which == "others")


# --- Told ---
def test_two_sign_ins_at_once_from_a_new_device_do_not_make_it_known_to_each_other(
    cast, client_for, right_after, by_password
):
    (one, signs_in), (other, signs_in_too) = by_password(), by_password()
    right_after(user_logged_in, signs_in_too, lambda user, **_sent: user == cast.admin)
    signs_in()
    assert is_signed_in(one) and is_signed_in(other)
    assert PendingMail.objects.filter(kind=notices.NEW_DEVICE).count() == 1


# --- Refused while it waits for the code ---
@pytest.mark.parametrize("which", ["all", "others"])
def test_half_a_sign_in_ends_when_the_person_signs_out_everywhere_or_everywhere_else(
    which, with_app, cast, client_for, clock
):
    me = client_for(cast.admin, host=None)
    client = half_way(client_for, cast, host=None)
    me.post(SESSIONS, {"session": which})
    clock.tick()
    assert client.get(CODE)["Location"] == LOGIN
    assert client.post(CODE, {"code": clock.code(with_app)})["Location"] == LOGIN
    assert not is_signed_in(client) and is_signed_in(me) == (which == "others")


def test_half_a_sign_in_ends_with_all_sessions(with_app, cast, client_for, clock, staff):
    person = User.objects.get(pk=cast.admin.pk)
    for name, act in staff.items():
        as_before(person)
        client = half_way(client_for, cast, host=None)
        act()
        clock.tick()
        assert client.get(CODE)["Location"] == LOGIN, name
        assert client.post(CODE, {"code": clock.code(with_app)})["Location"] == LOGIN, name
        assert is_out(client, person), name


# --- Refused another key ---
def test_after_secret_key_was_replaced_a_session_goes_on_under_its_own_key(cast, client_for, settings):
    here, there = client_for(host=None), client_for(host=None)
    for client in (here, there):
        sign_in(client, cast.admin.email)
    keys = set(Session.objects.values_list("session_key", flat=True))
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-one" * 5
    assert here.get(SESSIONS).status_code == 200  # which looks at the other one
    assert there.get(SECURITY).status_code == 200
    assert set(Session.objects.values_list("session_key", flat=True)) == keys
    settings.SECRET_KEY_FALLBACKS = []
    assert here.get(SECURITY).status_code == there.get(SECURITY).status_code == 200


def test_and_it_is_found_by_who_ends_all_while_it_is_made_out(cast, client_for, settings, staff, right_after):
    client = client_for(host=None)
    sign_in(client, cast.admin.email)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another-one" * 5
    right_after(post_save, staff["switched off and on"], lambda sender, **_sent: sender is Session)
    client.get(SECURITY)
    assert client.get(SECURITY)["Location"].startswith(LOGIN)


def test_a_session_that_ended_while_its_person_chose_a_password_gets_no_new_key(
    cast, client_for, staff, right_after
):
    client, new = client_for(host=None), "seven-lamps-under-water"
    sign_in(client, cast.admin.email)
    right_after(
        post_save,
        staff["switched off and on"],
        lambda sender, instance, **_sent: sender is PendingMail and instance.kind == notices.PASSWORD_CHANGED,
    )
    fields = {"current_password": PASSWORD, "new_password": new, "new_password_again": new}
    client.post("/settings/password/choose/", fields)
    assert User.objects.get(pk=cast.admin.pk).check_password(new)
    assert client.get(SECURITY)["Location"].startswith(LOGIN)
