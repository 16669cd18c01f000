"""One sign-in for all hosts, the same refusal for everybody, and no way out to a stranger's site."""

import re

import pytest

from accounts.models import User
from tests.cast import PASSWORD

LOGIN = "/accounts/login/"
ADMIN = "admin@acme.example"


def sign_in(client, login=ADMIN, password=PASSWORD, **more):
    return client.post(LOGIN, {"login": login, "password": password, **more})


def is_signed_in(client):
    return "_auth_user_id" in client.session


def errors(response):
    return [str(error) for error in response.context["form"].non_field_errors()]


# --- In ---
@pytest.mark.parametrize("login", [ADMIN, "Admin@ACME.example", f"  {ADMIN} "])
def test_people_sign_in_by_e_mail_address_in_any_spelling(cast, client_for, login):
    client = client_for()
    answer = sign_in(client, login)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_signed_in(client)


@pytest.mark.parametrize("host", [None, "acme"])
def test_the_session_is_valid_on_all_hosts(cast, client_for, host):
    answer = sign_in(client_for(host=host))
    assert answer.cookies["sessionid"]["domain"] == "portal.localhost"
    assert answer.cookies["sessionid"]["httponly"]


def test_a_session_made_before_signing_in_is_not_the_one_after(cast, client_for):
    client = client_for()
    session = client.session
    session["seen"] = True
    session.save()
    client.cookies["sessionid"] = session.session_key
    sign_in(client)
    assert client.session.session_key != session.session_key


def test_pages_ask_to_sign_in_and_then_lead_back(cast, client_for):
    client = client_for()
    asked = client.get("/settings/")
    assert asked["Location"] == "/accounts/login/?next=/settings/"
    assert 'value="/settings/"' in client.get(asked["Location"]).content.decode()
    assert sign_in(client, next="/settings/")["Location"] == "/settings/"


def test_the_sign_in_form_has_the_promised_names(db, client_for):
    page = client_for(host=None).get(LOGIN).content.decode()
    assert {"login", "password"} <= set(re.findall(r'name="(\w+)"', page))


def test_staff_enter_the_administration_through_the_same_sign_in(cast, client_for):
    asked = client_for(host=None).get("/admin/", follow=True)
    assert asked.redirect_chain[-1][0].startswith("/accounts/login/")
    assert client_for(cast.staff, host=None).get("/admin/").status_code == 200


# --- Refused ---
def test_wrong_password_unknown_address_and_none_set_get_one_answer(cast, client_for):
    User.objects.create_user("nobody.yet@acme.example")
    tries = [ADMIN, "unknown@acme.example", "nobody.yet@acme.example"]
    answers = [sign_in(client_for(), login, "wrong-password-here") for login in tries]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert errors(answers[0])
    assert errors(answers[0]) == errors(answers[1]) == errors(answers[2])


def test_the_password_is_not_sent_back(cast, client_for):
    assert "wrong-password-here" not in sign_in(client_for(), ADMIN, "wrong-password-here").content.decode()


def test_a_closed_account_stays_out_and_learns_why_only_by_its_password(cast, client_for):
    User.objects.filter(email=ADMIN).update(is_active=False)
    client = client_for()
    wrong = errors(sign_in(client, ADMIN, "wrong-password-here"))
    assert wrong == errors(sign_in(client, "unknown@acme.example", "wrong-password-here"))
    answer = client.post(LOGIN, {"login": ADMIN, "password": PASSWORD}, follow=True)
    assert not is_signed_in(client)
    assert answer.status_code == 200


def test_who_is_shut_out_while_signed_in_is_out_at_the_next_request(cast, client_for):
    client = client_for(cast.admin)
    assert client.get("/settings/").status_code == 200
    User.objects.filter(email=ADMIN).update(is_active=False)
    assert client.get("/settings/").status_code == 302


def test_guesses_count_across_hosts_and_spellings(cast, client_for):
    hosts = ["acme", "globex", "initech", None, "acme"]
    for host, login in zip(hosts, [ADMIN, ADMIN.upper(), ADMIN, ADMIN, ADMIN], strict=True):
        sign_in(client_for(host=host), login, "wrong-password-here")
    for host in ("globex", "initech", None):
        client = client_for(host=host)
        assert "Too many" in errors(sign_in(client))[0]
        assert not is_signed_in(client)


def test_guesses_at_one_person_do_not_shut_out_another(cast, client_for):
    for _ in range(6):
        sign_in(client_for(), ADMIN, "wrong-password-here")
    client = client_for()
    sign_in(client, "viewer@acme.example")
    assert is_signed_in(client)


def test_guesses_from_one_address_count_across_hosts_and_people(cast, client_for, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login": "1000/m/ip", "login_failed": "4/m/ip"}
    for number, host in enumerate(["acme", "globex", "initech", None]):
        sign_in(client_for(host=host), f"guess{number}@acme.example", "wrong-password-here")
    assert "Too many" in errors(sign_in(client_for()))[0]
    elsewhere = client_for(REMOTE_ADDR="192.0.2.7")
    sign_in(elsewhere)
    assert is_signed_in(elsewhere)


def test_too_many_requests_get_a_page_of_ours(cast, client_for, settings):
    settings.ACCOUNT_RATE_LIMITS = {"login": "2/m/ip"}
    answers = [sign_in(client_for(), ADMIN, "wrong-password-here") for _ in range(3)]
    assert answers[-1].status_code == 429
    assert "Too many tries" in answers[-1].content.decode()


# --- Where to, afterwards ---
@pytest.mark.parametrize(
    "target",
    [
        "/mailboxes/?q=journal",
        "http://acme.portal.localhost/mailboxes/",
        "http://acme.portal.localhost:8000/mailboxes/",
        "http://portal.localhost:8000/customers/",
    ],
)
def test_signing_in_leads_on_to_our_own_hosts(cast, client_for, target):
    assert sign_in(client_for(host=None), next=target)["Location"] == target


@pytest.mark.parametrize(
    "target",
    [
        "http://evil.example/",
        "//evil.example/",
        "///evil.example/",
        "////evil.example/",
        "\\\\evil.example/",
        "/\\evil.example/",
        "http:///evil.example/",
        "http:evil.example",
        "http://evil.example\\.portal.localhost/",
        "http://evil.example\\@acme.portal.localhost/",
        "http://portal.localhost@evil.example/",
        "http://evil.example@acme.portal.localhost/",
        "http://:secret@acme.portal.localhost:8000/",
        "http://evil.example#.portal.localhost/",
        "http://evil.example?.portal.localhost/",
        "http://evil.example:80.portal.localhost/",
        "http://evil.example%2f.portal.localhost/",
        "http://evilportal.localhost/",
        "http://portal.localhost.evil.example/",
        "http://[::1/",
        "javascript:alert(1)//.portal.localhost/",
        "data:text/html,portal.localhost",
        "ftp://acme.portal.localhost/",
        "\thttp://evil.example/",
        "http://evil.example\uff0f.portal.localhost/",
    ],
)
@pytest.mark.parametrize("host", [None, "acme"])
def test_signing_in_never_leads_to_a_stranger(cast, client_for, target, host):
    answer = sign_in(client_for(host=host), next=target)
    assert (answer.status_code, answer["Location"]) == (302, "/")


@pytest.mark.parametrize("target", ["http://[::1/", "http://evil.example\uff0f.portal.localhost/"])
def test_a_target_that_is_no_url_breaks_no_page(cast, client_for, target):
    assert client_for().get(LOGIN, {"next": target}).status_code == 200
    client = client_for(cast.admin)
    assert client.post("/accounts/logout/", {"next": target}).status_code == 302


def test_over_tls_nobody_is_led_back_to_plain_text(cast, client_for):
    client = client_for(host=None)
    answer = client.post(
        LOGIN,
        {"login": ADMIN, "password": PASSWORD, "next": "http://acme.portal.localhost:8000/"},
        secure=True,
    )
    assert answer["Location"] == "/"


# --- Out ---
def test_signing_out_takes_a_form_and_ends_the_session(cast, client_for):
    client = client_for(cast.admin)
    assert client.get("/accounts/logout/").status_code == 200
    assert is_signed_in(client)
    assert client.post("/accounts/logout/")["Location"] == LOGIN
    assert not is_signed_in(client)
    assert client.get("/mailboxes/").status_code == 302


def test_signing_out_needs_the_forms_token(cast, client_for):
    client = client_for(cast.admin, enforce_csrf_checks=True)
    answer = client.post("/accounts/logout/")
    assert answer.status_code == 403
    assert "open for too long" in answer.content.decode()
    assert is_signed_in(client)


@pytest.mark.parametrize("path", ["signup/", "password/change/", "password/set/", "email/"])
@pytest.mark.parametrize("host", [None, "acme"])
def test_nobody_signs_up(cast, client_for, path, host):
    for client in (client_for(host=host), client_for(cast.admin, host=host)):
        assert client.get(f"/accounts/{path}").status_code == 404
        assert client.post(f"/accounts/{path}", {"email": "new@evil.example"}).status_code == 404
