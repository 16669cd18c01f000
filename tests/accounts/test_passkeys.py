"""Passkeys: one for all hosts of the base domain, opened by its person, refused for whatever is not quite right."""

import json
import time
from dataclasses import replace

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.sessions.models import Session

from accounts import second_factor
from accounts.models import User
from tests.accounts.factors import (
    ADD_PASSKEY,
    CODE,
    CODES,
    CONFIRM_BY_PASSKEY,
    LOGIN,
    PASSKEY_LOGIN,
    SECURITY,
    Passkey,
    adds_a_passkey,
    asks_for_a_passkey,
    b64,
    confirms,
    is_signed_in,
    options_in,
    sign_in,
    signs_in_with,
)

BASE, ACME, GLOBEX = (
    "http://portal.localhost",
    "http://acme.portal.localhost",
    "http://globex.portal.localhost",
)


@pytest.fixture
def passkey(cast, client_for):
    """Of Acme's admin, made on the base host."""
    client = client_for(cast.admin, host=None)
    confirms(client)
    passkey = Passkey(origin=BASE)
    assert adds_a_passkey(client, passkey)["Location"] == CODES
    return passkey


def refused(client, answer):
    return (
        answer.status_code == 200
        and "This passkey was not accepted" in answer.content.decode()
        and not is_signed_in(client)
    )


@pytest.mark.parametrize(
    ("made_on", "used_on"), [(None, "acme"), ("acme", None), ("acme", "acme"), (None, None)]
)
def test_a_passkey_made_on_one_host_signs_in_on_every_other(cast, client_for, made_on, used_on):
    origin = {None: BASE, "acme": ACME}
    owner = client_for(cast.admin, host=made_on)
    confirms(owner)
    passkey = Passkey(origin=origin[made_on])
    adds_a_passkey(owner, passkey)
    client = client_for(host=used_on)
    passkey.origin = origin[used_on]
    assert signs_in_with(client, passkey, next="/settings/")["Location"] == "/settings/"
    assert int(client.session["_auth_user_id"]) == cast.admin.pk
    assert client.session["_auth_user_backend"] == settings.AUTHENTICATION_BACKENDS[0]


def test_a_passkey_is_both_factors_at_once(passkey, client_for):
    client = client_for(host=None)
    assert signs_in_with(client, passkey)["Location"] == "/"
    assert client.get("/settings/").status_code == 200


def test_after_the_password_the_passkey_is_the_second_factor(passkey, cast, client_for):
    client = client_for(host=None)
    assert sign_in(client, cast.admin.email)["Location"] == CODE
    options = options_in(client.get(CODE).content.decode())
    assert [one["id"] for one in options["allowCredentials"]] == [b64(passkey.id)]
    client.post(CODE, {"credential": passkey.get(options)})
    assert is_signed_in(client)


def test_a_passkey_confirms_that_it_is_you(passkey, cast, client_for):
    client = client_for(cast.admin, host=None)
    path = CONFIRM_BY_PASSKEY
    bad = client.post(path, {"credential": '{"id": 1}', "next": ADD_PASSKEY})
    assert "This passkey was not accepted" in bad.content.decode()
    options = options_in(client.get(f"{path}?next={ADD_PASSKEY}").content.decode())
    answer = client.post(path, {"credential": passkey.get(options), "next": ADD_PASSKEY})
    assert answer["Location"] == ADD_PASSKEY
    assert client.get(ADD_PASSKEY).status_code == 200


def test_the_portal_asks_for_keys_that_the_device_keeps_and_the_person_opens(cast, client_for):
    client = client_for(cast.admin)
    confirms(client)
    options = options_in(client.get(ADD_PASSKEY).content.decode())
    assert options["rp"] == {"id": "portal.localhost", "name": "Gatehouse"}
    assert options["authenticatorSelection"]["residentKey"] == "required"
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert asks_for_a_passkey(client_for())["userVerification"] == "required"


# --- Refused ---
def test_a_device_that_did_not_ask_its_person_adds_nothing(cast, client_for):
    client = client_for(cast.admin, host=None)
    confirms(client)
    answer = adds_a_passkey(client, Passkey(verifies=False))
    assert "This passkey was not accepted" in answer.content.decode()
    assert not second_factor.has_second_factor(cast.admin)


def test_a_device_that_did_not_ask_its_person_signs_nobody_in(passkey, client_for):
    passkey.verifies = False
    client = client_for(host=None)
    assert refused(client, signs_in_with(client, passkey))


def test_a_stolen_key_without_its_pin_neither_follows_a_password_nor_confirms(passkey, cast, client_for):
    passkey.verifies = False
    client = client_for(host=None)
    sign_in(client, cast.admin.email)
    options = options_in(client.get(CODE).content.decode())
    assert options["userVerification"] == "required"
    assert refused(client, client.post(CODE, {"credential": passkey.get(options)}))

    desk = client_for(cast.admin, host=None)
    options = options_in(desk.get(CONFIRM_BY_PASSKEY).content.decode())
    assert options["userVerification"] == "required"
    answer = desk.post(CONFIRM_BY_PASSKEY, {"credential": passkey.get(options)})
    assert "This passkey was not accepted" in answer.content.decode()
    assert desk.get(ADD_PASSKEY).status_code == 302


def test_a_question_of_one_page_is_answered_on_no_other(passkey, cast, client_for):
    client = client_for(host=None)
    sign_in(client, cast.admin.email)
    options = options_in(client.get(CODE).content.decode())
    client.post(PASSKEY_LOGIN, {"credential": passkey.get(options)})
    assert not is_signed_in(client)

    desk = client_for(cast.admin, host=None)
    confirms(desk)
    options = options_in(desk.get(ADD_PASSKEY).content.decode())
    answer = passkey.get({"rpId": options["rp"]["id"], **options})
    page = desk.post(CONFIRM_BY_PASSKEY, {"credential": answer}).content.decode()
    assert "This passkey was not accepted" in page
    assert "Location" in desk.post(CONFIRM_BY_PASSKEY, {"credential": passkey.get(options_in(page))})


def test_a_question_to_one_person_is_not_answered_by_another(passkey, cast, client_for):
    """One browser, two people: the question stays that of who was there when it was asked."""
    client = client_for(cast.admin, host=None)
    options = options_in(client.get(CONFIRM_BY_PASSKEY).content.decode())
    client.post("/accounts/logout/")
    signs_in_with(client, passkey)
    answer = client.post(CONFIRM_BY_PASSKEY, {"credential": passkey.get(options)})
    assert "This passkey was not accepted" in answer.content.decode()


def test_a_question_dies_with_a_wrong_answer_too(passkey, cast, client_for):
    client = client_for(host=None)
    options = asks_for_a_passkey(client)
    forged = Passkey(origin=BASE, id=passkey.id, user=passkey.user)
    assert refused(client, client.post(PASSKEY_LOGIN, {"credential": forged.get(options)}))
    assert refused(client, client.post(PASSKEY_LOGIN, {"credential": passkey.get(options)}))
    assert "Location" in signs_in_with(client, passkey)


def test_a_question_is_over_after_five_minutes(passkey, client_for, monkeypatch):
    client = client_for(host=None)
    answer = passkey.get(asks_for_a_passkey(client))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 301)
    assert refused(client, client.post(PASSKEY_LOGIN, {"credential": answer}))


def test_strangers_who_ask_leave_no_row(passkey, client_for):
    before = Session.objects.count()
    client = client_for(host=None)
    for _ in range(3):
        asks_for_a_passkey(client)
    signs_in_with(client, Passkey(origin=BASE, user=passkey.user))
    assert Session.objects.count() == before


def test_a_copy_that_counts_apart_is_refused_and_its_person_told(passkey, client_for, post):
    copy = replace(passkey)
    assert "Location" in signs_in_with(client_for(host=None), passkey)
    client = client_for(host=None)
    with post.of() as mails:
        assert refused(client, signs_in_with(client, copy))
    assert [mail.subject for mail in mails] == ["A passkey of yours was refused"]
    passkey.counter = copy.counter = 50
    assert "Location" in signs_in_with(client, passkey)


def test_a_passkey_that_never_counts_signs_in_again_and_again(cast, client_for):
    owner = client_for(cast.admin, host=None)
    confirms(owner)
    silent = Passkey(origin=BASE, counts=False)
    adds_a_passkey(owner, silent)
    for _ in range(2):
        assert "Location" in signs_in_with(client_for(host=None), silent)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://portal.localhost.evil.example",
        "https://evilportal.localhost",
        "http://localhost",
        "https://localhost",
    ],
)
def test_an_answer_given_to_another_site_is_refused(passkey, client_for, origin):
    passkey.origin = origin
    client = client_for(host=None)
    assert refused(client, signs_in_with(client, passkey))


def test_an_answer_counts_once_and_in_its_own_session(passkey, client_for):
    first, second = client_for(host=None), client_for(host=None)
    answer = passkey.get(asks_for_a_passkey(first))
    asks_for_a_passkey(second)
    assert refused(second, second.post(PASSKEY_LOGIN, {"credential": answer}))
    first.post(PASSKEY_LOGIN, {"credential": answer})
    assert is_signed_in(first)
    first.post("/accounts/logout/")
    assert refused(first, first.post(PASSKEY_LOGIN, {"credential": answer}))


def test_another_key_under_a_known_id_is_refused(passkey, client_for):
    forged = Passkey(origin=BASE, id=passkey.id, user=passkey.user)
    client = client_for(host=None)
    assert refused(client, signs_in_with(client, forged))


def test_a_key_speaks_for_its_own_person_only(passkey, cast, client_for):
    mallory = client_for(cast.mallory, host=None)
    confirms(mallory)
    theirs = Passkey(origin=BASE)
    adds_a_passkey(mallory, theirs)
    theirs.user = passkey.user
    client = client_for(host=None)
    assert refused(client, signs_in_with(client, theirs))


def test_a_removed_passkey_signs_nobody_in(passkey, cast, client_for):
    key = Authenticator.objects.get(user=cast.admin, type="webauthn")
    client = client_for(cast.admin)
    confirms(client)
    assert client.post(f"/accounts/2fa/webauthn/keys/{key.pk}/remove/")["Location"] == SECURITY
    assert not second_factor.has_second_factor(cast.admin)
    client = client_for(host=None)
    assert refused(client, signs_in_with(client, passkey))


def test_a_closed_account_is_not_opened_by_its_passkey(passkey, cast, client_for):
    User.objects.filter(pk=cast.admin.pk).update(is_active=False)
    client = client_for(host=None)
    signs_in_with(client, passkey)
    assert not is_signed_in(client)


NONSENSE = [
    "",
    "null",
    "{",
    "[]",
    "5",
    "{}",
    "[" * 90_000,
    "[" * 9_000,
    "9" * 6_000,
    '{"id": "AAAA", "response": {}}',
    '{"id": 5, "rawId": [], "type": {}, "response": []}',
    '{"response": {"userHandle": 7}}',
    json.dumps(
        {
            "id": "AAAA",
            "rawId": "AAAA",
            "type": "public-key",
            "response": {
                "clientDataJSON": "W10",
                "attestationObject": "o2",
                "authenticatorData": "AAAA",
                "signature": "AA",
                "userHandle": b64(b"z" * 60),
            },
        }
    ),
]


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("host", [None, "acme"])
def test_nonsense_from_strangers_is_refused_and_nobodys_fault(db, client_for, nonsense, host):
    client = client_for(host=host)
    asks_for_a_passkey(client)
    answer = client.post(PASSKEY_LOGIN, {"credential": nonsense})
    assert answer.status_code == 200
    assert not is_signed_in(client)


def test_an_answer_longer_than_any_device_gives_goes_unread(passkey, client_for):
    """What stands in it is no text of the form, where towers of marks are looked for."""
    client = client_for(host=None)
    answer = passkey.get(asks_for_a_passkey(client))
    assert refused(client, client.post(PASSKEY_LOGIN, {"credential": answer + " " * 16 * 1024}))
    client.post(PASSKEY_LOGIN, {"credential": answer})
    assert is_signed_in(client)


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_adds_no_passkey(cast, client_for, nonsense):
    client = client_for(cast.admin)
    confirms(client)
    client.get(ADD_PASSKEY)
    assert client.post(ADD_PASSKEY, {"name": "x", "credential": nonsense}).status_code == 200
    assert not second_factor.has_second_factor(cast.admin)


# --- One's own ---
def test_passkeys_are_listed_renamed_and_removed_by_their_person_only(passkey, cast, client_for):
    key = Authenticator.objects.get(user=cast.admin, type="webauthn")
    client, mallory = client_for(cast.admin), client_for(cast.mallory, host="globex")
    for one in (client, mallory):
        confirms(one)
    assert "Lena&#x27;s laptop" in client.get(SECURITY).content.decode()
    for act in ("edit", "remove"):
        path = f"/accounts/2fa/webauthn/keys/{key.pk}/{act}/"
        assert client.get(path).status_code == 200
        assert mallory.get(path).status_code == 404
        assert mallory.post(path, {"name": "Mine"}).status_code == 404
    client.post(f"/accounts/2fa/webauthn/keys/{key.pk}/edit/", {"name": "<b>Work phone</b>"})
    page = client.get(SECURITY).content.decode()
    assert "&lt;b&gt;Work phone&lt;/b&gt;" in page
    assert "Lena" not in page


@pytest.mark.parametrize("name", ["N\N{RIGHT-TO-LEFT OVERRIDE}yaP", "see evil\u2065.example"])
def test_a_passkey_is_called_as_a_person_may_be(passkey, cast, client_for, name):
    client = client_for(cast.admin)
    confirms(client)
    path = (
        f"/accounts/2fa/webauthn/keys/{Authenticator.objects.get(user=cast.admin, type='webauthn').pk}/edit/"
    )
    refused = [client.post(path, {"name": name}), adds_a_passkey(client, Passkey(origin=ACME), name=name)]
    assert [list(answer.context["form"].errors) for answer in refused] == [["name"], ["name"]]
    keys = Authenticator.objects.filter(user=cast.admin, type="webauthn")
    assert [key.wrap().name for key in keys] == ["Lena's laptop"]


def test_the_security_page_tells_when_a_passkey_was_last_used(passkey, cast, client_for):
    assert Authenticator.objects.get(user=cast.admin, type="webauthn").last_used_at is None
    signs_in_with(client_for(host=None), passkey)
    used = Authenticator.objects.get(user=cast.admin, type="webauthn").last_used_at
    assert f"{used:%-d %b %Y}" in client_for(cast.admin).get(SECURITY).content.decode()


def test_a_second_passkey_needs_no_other_name_and_ends_no_session(passkey, cast, client_for):
    elsewhere, here = client_for(cast.admin, host=None), client_for(cast.admin, host=None)
    elsewhere.get(SECURITY)
    confirms(here)
    assert adds_a_passkey(here, Passkey(origin=BASE), name="")["Location"] == "/accounts/2fa/"
    assert "Passkey 2" in here.get(SECURITY).content.decode()
    assert elsewhere.get(SECURITY).status_code == 200


def test_who_is_signed_in_already_is_led_on(passkey, cast, client_for):
    assert client_for(cast.admin).get(PASSKEY_LOGIN)["Location"] == "/"


def test_the_passkey_page_leads_on_only_to_hosts_of_ours(passkey, client_for):
    client = client_for(host=None)
    assert "evil.example" not in client.get(f"{PASSKEY_LOGIN}?next=http://evil.example/").content.decode()
    assert signs_in_with(client, passkey, next="http://evil.example/")["Location"] == "/"
    page = client_for(host=None).get(f"{PASSKEY_LOGIN}?next=/settings/").content.decode()
    assert 'name="next" value="/settings/"' in page
    assert f"{LOGIN}?next=%2Fsettings%2F" in page
