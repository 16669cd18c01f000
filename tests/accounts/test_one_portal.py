"""One portal on many hosts: one session, one count of wrong guesses, and no way out to a stranger's site."""

import re

import pytest
from django.contrib.sessions.models import Session

from accounts.models import User
from tests.cast import PASSWORD

LOGIN, LOGOUT = "/accounts/login/", "/accounts/logout/"
ADMIN, OWNER = "admin@acme.example", "operator@northwind.example"
HOSTS = ["acme", "globex", "initech", None, "acme"]

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "\\\\evil.example/",
    "/\\evil.example/",
    "https:evil.example",
    "https:///evil.example/",
    "javascript:alert(1)",
    "data:text/html,x",
    "ftp://acme.portal.localhost/",
    "http://acme.portal.localhost.evil.example/",
    "http://evilportal.localhost/",
    "http://evil.example\\.portal.localhost/",
    "http://evil.example@acme.portal.localhost/",
    "http://acme.portal.localhost@evil.example/",
    "http://evil.example#.portal.localhost/",
    "http://[acme.portal.localhost/",
]


def sign_in(client, email, password=PASSWORD, **more):
    return client.post(LOGIN, {"login": email, "password": password, **more})


def signed_in(client):
    return "_auth_user_id" in client.session


def refusal(response):
    return re.findall(
        r'<div class="notice error"\s+role="alert">(.*?)</div>', response.content.decode(), re.S
    )


# --- In ---
@pytest.mark.parametrize("host", ["acme", None])
def test_the_right_password_opens_the_console(cast, client_for, host):
    client = client_for(host=host)
    answer = sign_in(client, ADMIN)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert signed_in(client)


def test_the_address_counts_in_any_case(cast, client_for):
    client = client_for()
    sign_in(client, "Admin@ACME.example")
    assert signed_in(client)


def test_one_session_is_for_all_hosts(cast, client_for):
    client = client_for(host=None)
    cookie = sign_in(client, OWNER).cookies["sessionid"]
    assert cookie["domain"] == "portal.localhost"
    assert cookie["httponly"] and cookie["samesite"] == "Lax"
    for host in ("acme", "globex"):
        page = client.get("/mailboxes/", headers={"host": f"{host}.portal.localhost"})
        assert page.status_code == 200


def test_a_new_session_begins_with_the_sign_in(cast, client_for):
    client = client_for()
    client.cookies["sessionid"] = "planted-by-somebody-else-0000000"
    sign_in(client, ADMIN)
    assert client.session.session_key != "planted-by-somebody-else-0000000"


@pytest.mark.parametrize("host", ["acme", None])
def test_who_is_nobody_yet_signs_in_first_and_comes_back(cast, client_for, host):
    path = "/mailboxes/?q=journal" if host else "/customers/?q=acme"
    client = client_for(host=host)
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith(LOGIN + "?next=/")
    page = client.get(answer["Location"]).content.decode()
    hidden = re.search(r'<input type="hidden"\s+name="next"\s+value="([^"]*)"', page)
    assert hidden and hidden[1] == path
    assert sign_in(client, ADMIN, next=hidden[1])["Location"] == path


# --- Refused ---
def test_a_refusal_does_not_tell_which_addresses_exist(cast, client_for):
    answers = [sign_in(client_for(), email, "no such password") for email in (ADMIN, "nobody@acme.example")]
    known, unknown = answers
    assert known.status_code == unknown.status_code == 200
    assert refusal(known) == refusal(unknown) != []
    assert sorted(known.headers) == sorted(unknown.headers)


def test_a_refused_password_is_not_sent_back(cast, client_for):
    assert "no such password" not in sign_in(client_for(), ADMIN, "no such password").content.decode()


def test_the_closed_account_stays_out(cast, client_for):
    User.objects.filter(email=ADMIN).update(is_active=False)
    client = client_for()
    sign_in(client, ADMIN)
    assert not signed_in(client)


def test_whose_account_is_closed_meanwhile_is_nobody_at_the_next_request(cast, client_for):
    client = client_for(cast.admin)
    User.objects.filter(email=ADMIN).update(is_active=False)
    assert client.get("/mailboxes/")["Location"].startswith(LOGIN)


def test_guesses_count_over_all_hosts_and_in_any_case(cast, client_for):
    for number, host in enumerate(HOSTS):
        sign_in(client_for(host=host), ADMIN if number % 2 else ADMIN.upper(), "wrong")
    for host in {*HOSTS}:
        client = client_for(host=host)
        sign_in(client, ADMIN)
        assert not signed_in(client), f"the sixth guess counted as the first on {host}"


def test_guesses_at_one_account_do_not_shut_out_another(cast, client_for):
    for host in HOSTS:
        sign_in(client_for(host=host), ADMIN, "wrong")
    client = client_for(host=None)
    sign_in(client, OWNER)
    assert signed_in(client)


def test_four_wrong_guesses_shut_out_nobody(cast, client_for):
    for host in HOSTS[:4]:
        sign_in(client_for(host=host), ADMIN, "wrong")
    client = client_for()
    sign_in(client, ADMIN)
    assert signed_in(client)


# --- Onwards ---
@pytest.mark.parametrize("target", ELSEWHERE)
def test_nobody_is_led_to_a_strangers_site(cast, client_for, target):
    assert sign_in(client_for(host=None), ADMIN, next=target)["Location"] == "/"


@pytest.mark.parametrize(
    "target",
    ["/settings/", "http://acme.portal.localhost:8000/mailboxes/", "http://portal.localhost:8000/customers/"],
)
def test_one_is_led_on_within_the_portal(cast, client_for, target):
    assert sign_in(client_for(host=None), ADMIN, next=target)["Location"] == target


# --- Out ---
def test_signing_out_ends_the_session_on_all_hosts(cast, client_for):
    client = client_for(host=None)
    sign_in(client, OWNER)
    stolen = client.cookies["sessionid"].value
    answer = client.post(LOGOUT, headers={"host": "acme.portal.localhost"})
    assert answer["Location"] == LOGIN
    assert not Session.objects.filter(session_key=stolen).exists()
    for host in ("acme", "globex", None):
        late = client_for(host=host)
        late.cookies["sessionid"] = stolen
        assert late.get("/settings/")["Location"].startswith(LOGIN)


@pytest.mark.parametrize("host", ["acme", None])
def test_a_link_signs_nobody_out(cast, client_for, host):
    client = client_for(cast.owner, host=host)
    page = client.get(LOGOUT)
    assert page.status_code == 200
    assert f'action="{LOGOUT}"' in page.content.decode()
    assert signed_in(client)


@pytest.mark.parametrize("path", [LOGIN, LOGOUT])
def test_forms_of_other_sites_do_nothing(cast, client_for, path):
    client = client_for(cast.owner, enforce_csrf_checks=True)
    assert client.post(path, {"login": ADMIN, "password": PASSWORD}).status_code == 403
    assert client.session["_auth_user_id"] == str(cast.owner.pk)


# --- By invitation only ---
@pytest.mark.parametrize("path", ["signup/", "password/change/", "email/", "confirm-email/"])
@pytest.mark.parametrize("host", ["acme", None])
def test_nobody_signs_up_and_nothing_else_of_the_library_is_open(cast, client_for, path, host):
    client = client_for(cast.owner, host=host)
    assert client.get(f"/accounts/{path}").status_code == 404
    data = {"email": "new@acme.example", "password1": PASSWORD}
    assert client.post(f"/accounts/{path}", data).status_code == 404
    assert not User.objects.filter(email="new@acme.example").exists()
