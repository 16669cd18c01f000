"""What becomes of a second factor while something else becomes of it: one comes after the other, and sees what was first."""

from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.core.cache import cache
from django.db import connection, connections, transaction
from django.db.models.signals import pre_save

from accounts.actors import SYSTEM
from accounts.services import remove_factors
from accounts.services.factors import hold_person
from tests.accounts.factors import (
    ACTIVATE,
    ADD_PASSKEY,
    CODE,
    CODES,
    CONFIRM_BY_CODE,
    CONFIRM_BY_PASSKEY,
    DOWNLOAD,
    GENERATE,
    LOGIN,
    PASSKEY_LOGIN,
    REMOVE_APP,
    SECURITY,
    Passkey,
    adds_a_passkey,
    asked_to_confirm,
    asks_for_a_passkey,
    confirms,
    half_way,
    is_signed_in,
    options_in,
    shown_secret,
    sign_in,
)
from tests.locks import until_they_wait

SECONDS = 20
WRONG_CODE, WRONG_PASSKEY = "This code is wrong", "This passkey was not accepted"

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def meanwhile():
    """Begins an act on a thread of its own, as another request, and returns once it waits for the transaction that the
    test is in. What that returns tells, afterwards, what the act came to.
    """
    begun: list[Future] = []

    def act_and_leave(act, *args):
        try:
            return act(*args)
        finally:
            connections.close_all()

    with ThreadPoolExecutor() as threads:

        def begin(act, *args):
            begun[:] = [each for each in begun if not each.done()]
            begun.append(threads.submit(act_and_leave, act, *args))
            until_all_wait(begun)
            return partial(begun[-1].result, SECONDS)

        yield begin


def until_all_wait(begun):
    with connection.cursor() as cursor:
        until_they_wait(cursor, len(begun), or_ended=lambda: any(each.done() for each in begun))
    assert not [each.result() for each in begun if each.done()], "it did not wait for this transaction"


@pytest.fixture
def client(cast, client_for):
    """Of Acme's admin, who has just confirmed it."""
    client = client_for(cast.admin)
    confirms(client)
    return client


# --- Added and removed ---
def test_pressing_twice_at_once_sets_up_once_too(cast, client, clock, meanwhile):
    given = {"code": clock.code(shown_secret(client.get(ACTIVATE).content.decode()))}
    with transaction.atomic():
        Authenticator.objects.create(user=cast.admin, type=Authenticator.Type.TOTP, data={})
        second = meanwhile(client.post, ACTIVATE, given)
    assert second()["Location"] == SECURITY
    assert Authenticator.objects.count() == 1


def test_a_sign_in_that_begins_before_the_first_factor_and_ends_after_it_is_none(cast, client_for, meanwhile):
    """Whoever has the password and is quick: what is added is not there for others until it is committed."""
    intruder = client_for(host=None)
    with transaction.atomic():
        TOTP.activate(cast.admin, "A" * 32)
        signed_in = meanwhile(sign_in, intruder, cast.admin.email)
    signed_in()
    assert intruder.get(SECURITY)["Location"].startswith(LOGIN)
    assert sign_in(intruder, cast.admin.email)["Location"].startswith(CODE)


def test_of_one_person_factors_are_changed_one_after_the_other(with_app, cast, client, meanwhile):
    """Of two who take away the last two at once, each would leave the codes to the other."""
    with transaction.atomic():
        hold_person(cast.admin)
        removed = meanwhile(client.post, REMOVE_APP)
        assert Authenticator.objects.filter(user=cast.admin, type=Authenticator.Type.TOTP).exists()
    removed()
    assert not Authenticator.objects.filter(user=cast.admin).exists()


def test_no_codes_outlast_the_last_factor(with_app, cast, client, client_for, meanwhile):
    """Nobody would see them, and they would open the second step that a later factor brings."""
    maker = client_for(cast.admin)
    confirms(maker)
    with transaction.atomic():
        hold_person(cast.admin)
        removed = meanwhile(client.post, REMOVE_APP)
        made = meanwhile(maker.post, GENERATE)
    assert removed().status_code == 302
    assert "Set one of them up first." in made().content.decode()
    assert not Authenticator.objects.filter(user=cast.admin).exists()


def test_no_factor_is_added_while_all_are_taken_away_from_the_server(with_app, cast, client, meanwhile):
    with transaction.atomic():
        remove_factors(cast.admin, by=SYSTEM)
        made = meanwhile(client.post, GENERATE)
    made()
    assert not Authenticator.objects.filter(user=cast.admin).exists()


# --- Written back ---
def test_no_removed_passkey_comes_back_by_its_new_name(cast, client, meanwhile):
    """allauth writes the whole row, and one that is gone would be a new first factor: the session that removed it ends."""
    adds_a_passkey(client, Passkey())
    passkey = Authenticator.objects.get(user=cast.admin, type=Authenticator.Type.WEBAUTHN)
    with transaction.atomic():
        remove_factors(cast.admin, by=SYSTEM)
        renamed = meanwhile(client.post, f"/accounts/2fa/webauthn/keys/{passkey.pk}/edit/", {"name": "Mine"})
    assert renamed().status_code == 404
    assert not Authenticator.objects.filter(user=cast.admin).exists()


def test_a_look_at_the_codes_gives_no_used_one_back(with_app, cast, client, meanwhile):
    codes = Authenticator.objects.get(user=cast.admin, type=Authenticator.Type.RECOVERY_CODES)
    assert "viewed_at" not in codes.data, "it is the first look that writes"
    code = codes.wrap().get_unused_codes()[0]
    with transaction.atomic():
        hold_person(cast.admin)  # as whoever uses one does
        assert codes.wrap().validate_code(code)
        looked = meanwhile(client.get, CODES)
    assert looked().status_code == 200
    assert not Authenticator.objects.get(pk=codes.pk).wrap().validate_code(code)


# --- Used ---
@pytest.fixture
def everything(with_app, cast, client):
    """Acme's admin has an app, recovery codes and a passkey: the app's secret, a code and the passkey."""
    passkey = Passkey()
    adds_a_passkey(client, passkey)
    codes = Authenticator.objects.get(user=cast.admin, type=Authenticator.Type.RECOVERY_CODES)
    return with_app, codes.wrap().get_unused_codes()[0], passkey


def each_use(everything, cast, client_for, clock):
    """Ways to use a factor: what it is called, the browser, where it sends what, and what is said of one that is gone."""
    secret, code, passkey = everything
    for name, given in (("app", lambda: clock.code(secret)), ("recovery code", lambda: code)):
        client = half_way(client_for, cast)
        yield f"{name} after the password", client, CODE, {"code": given()}, WRONG_CODE
        yield f"{name} to confirm", client_for(cast.admin), CONFIRM_BY_CODE, {"code": given()}, WRONG_CODE
    client = half_way(client_for, cast, host=None)
    answer = {"credential": passkey.get(options_in(client.get(CODE).content.decode()))}
    yield "passkey after the password", client, CODE, answer, WRONG_PASSKEY
    client = client_for(cast.admin, host=None)
    answer = {"credential": passkey.get(options_in(client.get(CONFIRM_BY_PASSKEY).content.decode()))}
    yield "passkey to confirm", client, CONFIRM_BY_PASSKEY, answer, WRONG_PASSKEY
    client = client_for(host=None)
    yield (
        "passkey",
        client,
        PASSKEY_LOGIN,
        {"credential": passkey.get(asks_for_a_passkey(client))},
        WRONG_PASSKEY,
    )


def test_a_factor_that_is_removed_while_it_is_used_is_refused_as_any_that_is_wrong(
    everything, cast, client_for, clock, meanwhile
):
    """By whichever way it is used, and whoever removed it."""
    kept, shut = (
        list(Authenticator.objects.all()),
        (asked_to_confirm(ADD_PASSKEY), f"{LOGIN}?next={ADD_PASSKEY}"),
    )
    for name, client, path, given, said in each_use(everything, cast, client_for, clock):
        with transaction.atomic():
            remove_factors(cast.admin, by=SYSTEM)
            used = meanwhile(client.post, path, given)
        assert said in used().content.decode(), name
        assert client.get(ADD_PASSKEY)["Location"] in shut, name
        Authenticator.objects.bulk_create(kept)
        cache.clear()  # it was a wrong one, and there may be few


def test_codes_that_are_removed_while_somebody_looks_at_them_are_not_there(with_app, cast, client, meanwhile):
    kept = list(Authenticator.objects.all())
    for path in (CODES, DOWNLOAD):
        with transaction.atomic():
            remove_factors(cast.admin, by=SYSTEM)
            looked = meanwhile(client.get, path)
        assert looked().status_code == 404
        Authenticator.objects.bulk_create(kept)


def test_who_removes_a_factor_waits_until_its_use_is_written_down(
    everything, cast, client_for, clock, meanwhile
):
    removed = []

    def removes():
        with transaction.atomic():
            return remove_factors(cast.admin, by=SYSTEM)

    def begin_to_remove(update_fields, **_more):
        if update_fields == {"last_used_at"}:
            removed.append(meanwhile(removes))

    kept = list(Authenticator.objects.all())
    pre_save.connect(begin_to_remove, sender=Authenticator)
    try:
        for name, client, path, given, _said in each_use(everything, cast, client_for, clock):
            client.post(path, given)
            assert removed.pop()() == len(kept), name
            assert is_signed_in(client), name
            assert (client.get(ADD_PASSKEY).status_code == 200) == name.endswith("to confirm")
            Authenticator.objects.bulk_create(kept)
            clock.tick()
    finally:
        pre_save.disconnect(begin_to_remove, sender=Authenticator)
