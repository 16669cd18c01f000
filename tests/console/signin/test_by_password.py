"""One sign-in for all hosts of one portal, the same refusal for everybody, and no way out to a stranger's site."""

import re
from importlib import import_module

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.sessions.models import Session

from accounts.models import User
from portal import settings as portal_settings
from portal.gates.companion import COMPANION, companion_of
from tests.accounts.factors import LOGIN, is_signed_in
from tests.cast import PASSWORD
from tests.tenants.kit import text

LOGOUT = "/accounts/logout/"
ADMIN, OWNER = "admin@acme.example", "operator@northwind.example"
WRONG = "wrong-password-here"
HOSTS = ["acme", "globex", "initech", None, "acme"]


def sign_in(client, login=ADMIN, password=PASSWORD, headers=None, **more):
    return client.post(LOGIN, {"login": login, "password": password, **more}, headers=headers)


def errors(response):
    return [str(error) for error in response.context["form"].non_field_errors()]


# --- In ---
@pytest.mark.parametrize("host", [None, "acme"])
@pytest.mark.parametrize("login", [ADMIN, "Admin@ACME.example", f"  {ADMIN} "])
def test_people_sign_in_by_e_mail_address_in_any_spelling(cast, client_for, login, host):
    client = client_for(host=host)
    answer = sign_in(client, login)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_signed_in(client)


def test_who_has_signed_in_is_greeted_in_their_own_language(cast, client_for):
    User.objects.filter(pk=cast.admin.pk).update(language="de")
    client = client_for()
    page = client.get(sign_in(client, headers={"accept-language": "ar"})["Location"], follow=True)
    assert f"Sie sind als {ADMIN} angemeldet." in text(page)


@pytest.mark.parametrize("host", [None, "acme"])
def test_one_session_is_for_all_hosts(cast, client_for, host):
    client = client_for(host=host)
    cookie = sign_in(client, OWNER).cookies["sessionid"]
    assert cookie["domain"] == "portal.localhost"
    assert cookie["httponly"] and cookie["samesite"] == "Lax"
    for other in ("acme", "globex"):
        page = client.get("/mailboxes/", headers={"host": f"{other}.portal.localhost"})
        assert page.status_code == 200


def test_a_session_made_before_signing_in_is_not_the_one_after(cast, client_for):
    client = client_for()
    session = client.session
    session["seen"] = True
    session.save()
    client.cookies["sessionid"] = session.session_key
    client.cookies[COMPANION] = companion_of(session.session_key)
    sign_in(client)
    assert client.session.session_key != session.session_key


@pytest.mark.parametrize("host", [None, "acme"])
def test_who_is_nobody_yet_signs_in_first_and_comes_back(cast, client_for, host):
    path = "/mailboxes/?q=journal" if host else "/customers/?q=acme"
    client = client_for(host=host)
    answer = client.get(path)
    assert answer.status_code == 302
    assert answer["Location"].startswith(LOGIN + "?next=/")
    page = client.get(answer["Location"]).content.decode()
    hidden = re.search(r'<input type="hidden"\s+name="next"\s+value="([^"]*)"', page)
    assert hidden and hidden[1] == path
    assert sign_in(client, next=hidden[1])["Location"] == path


def test_the_sign_in_form_has_the_promised_names(db, client_for):
    page = client_for(host=None).get(LOGIN).content.decode()
    assert {"login", "password"} <= set(re.findall(r'name="(\w+)"', page))


def test_staff_enter_the_administration_through_the_same_sign_in(cast, client_for):
    asked = client_for(host=None).get("/admin/", follow=True)
    assert asked.redirect_chain[-1][0].startswith(LOGIN)
    assert client_for(cast.staff, host=None).get("/admin/").status_code == 200


# --- Refused ---
def test_a_refusal_does_not_tell_which_addresses_exist(cast, client_for):
    User.objects.create_user("nobody.yet@acme.example")
    tries = [ADMIN, "unknown@acme.example", "nobody.yet@acme.example"]
    known, *others = [sign_in(client_for(), login, WRONG) for login in tries]
    assert known.status_code == 200
    assert errors(known)
    for other in others:
        assert (other.status_code, errors(other)) == (known.status_code, errors(known))
        assert sorted(other.headers) == sorted(known.headers)


class Abacus(MD5PasswordHasher):
    """Hashes as tests do, and notes how often: with a hasher of real life, each is a tenth of a second."""

    hashed: list[str] = []

    def encode(self, password, salt):
        self.hashed.append(password)
        return super().encode(password, salt)


def test_the_time_does_not_tell_either(cast, client_for, settings):
    settings.PASSWORD_HASHERS = [f"{__name__}.Abacus"]
    User.objects.create_user("nobody.yet@acme.example")
    User.objects.filter(email="viewer@acme.example").update(is_active=False)
    spent = []
    for login in (ADMIN, "unknown@acme.example", "nobody.yet@acme.example", "viewer@acme.example"):
        Abacus.hashed.clear()
        sign_in(client_for(), login, WRONG)
        spent.append(len(Abacus.hashed))
    assert spent == [1, 1, 1, 1]


@pytest.mark.parametrize(
    "headers", [{}, {"x-requested-with": "XMLHttpRequest"}, {"accept": "application/json"}]
)
def test_a_refused_password_is_not_sent_back(cast, client_for, headers):
    answer = client_for().post(LOGIN, {"login": ADMIN, "password": WRONG}, headers=headers)
    assert answer.status_code == 200
    assert errors(answer)
    assert WRONG not in answer.content.decode()


def test_a_closed_account_stays_out_and_learns_why_only_by_its_password(cast, client_for):
    User.objects.filter(email=ADMIN).update(is_active=False)
    client = client_for()
    assert errors(sign_in(client, ADMIN, WRONG)) == errors(sign_in(client, "unknown@acme.example", WRONG))
    answer = client.post(LOGIN, {"login": ADMIN, "password": PASSWORD}, follow=True)
    assert not is_signed_in(client)
    assert answer.status_code == 200


def test_whose_account_is_closed_meanwhile_is_nobody_at_the_next_request(cast, client_for):
    client = client_for(cast.admin)
    assert client.get("/mailboxes/").status_code == 200
    User.objects.filter(email=ADMIN).update(is_active=False)
    assert client.get("/mailboxes/")["Location"].startswith(LOGIN)


def test_an_address_that_is_the_persons_no_more_signs_nobody_in(cast, client_for, post):
    with post.of() as mails:
        client_for().post("/accounts/password/reset/", {"email": ADMIN})
    assert [mail.to for mail in mails] == [[ADMIN]]
    fields = {"email": "new@acme.example", "theme": "system", "is_active": "on"}
    page = f"/admin/accounts/user/{cast.admin.pk}/change/"
    assert client_for(cast.staff, host=None).post(page, fields).status_code == 302
    client = client_for()
    sign_in(client, ADMIN)
    assert not is_signed_in(client)
    sign_in(client, "new@acme.example")
    assert is_signed_in(client)


def test_nor_does_one_that_an_earlier_release_wrote_down(cast, client_for):
    EmailAddress.objects.create(user=cast.admin, email="old@acme.example", primary=True)
    client = client_for()
    sign_in(client, "old@acme.example")
    assert is_signed_in(client)  # so it is worth migrating
    import_module("accounts.migrations.0004_forget_other_addresses").forget(apps, None)
    client = client_for()
    sign_in(client, "old@acme.example")
    assert not is_signed_in(client)


# --- Guesses ---
def test_guesses_count_over_all_hosts_and_in_any_case(cast, client_for):
    for number, host in enumerate(HOSTS):
        sign_in(client_for(host=host), ADMIN if number % 2 else ADMIN.upper(), WRONG)
    for host in {*HOSTS}:
        client = client_for(host=host)
        assert "too many" in errors(sign_in(client))[0], f"the sixth counted as the first on {host}"
        assert not is_signed_in(client)


def test_guesses_at_one_person_do_not_shut_out_another(cast, client_for):
    for host in [*HOSTS, "acme"]:
        sign_in(client_for(host=host), ADMIN, WRONG)
    client = client_for(host=None)
    sign_in(client, OWNER)
    assert is_signed_in(client)


def test_four_wrong_guesses_shut_out_nobody(cast, client_for):
    for host in HOSTS[:4]:
        sign_in(client_for(host=host), ADMIN, WRONG)
    client = client_for()
    sign_in(client)
    assert is_signed_in(client)


@pytest.fixture
def real_limits(settings):
    """Those of the portal. All other tests share one network address and have wider ones."""
    settings.ACCOUNT_RATE_LIMITS = portal_settings.ACCOUNT_RATE_LIMITS


def guesses(client_for, times, **browser):
    """So many wrong ones at as many people, over all hosts."""
    for number in range(times):
        client = client_for(host=HOSTS[number % len(HOSTS)], **browser)
        sign_in(client, f"guess{number}@acme.example", WRONG)


@pytest.mark.usefixtures("real_limits")
def test_ten_guesses_from_one_address_are_enough_over_all_hosts_and_people(cast, client_for):
    guesses(client_for, 9)
    client = client_for()
    sign_in(client)
    assert is_signed_in(client)  # which used up none
    guesses(client_for, 1)
    assert "too many" in errors(sign_in(client_for(), OWNER))[0]
    elsewhere = client_for(REMOTE_ADDR="192.0.2.7")
    sign_in(elsewhere, OWNER)
    assert is_signed_in(elsewhere)


@pytest.mark.usefixtures("real_limits")
def test_who_has_signed_in_there_lately_is_not_refused_for_what_others_guess(cast, client_for):
    sign_in(client_for())
    guesses(client_for, 31)  # by number alone enough to be turned away from the page
    assert sign_in(client_for(), OWNER).status_code == 429
    client = client_for()
    sign_in(client)
    assert is_signed_in(client)


def test_strangers_guesses_lock_nobody_out_elsewhere(cast, client_for):
    for _ in range(7):
        sign_in(client_for(REMOTE_ADDR="203.0.113.5"), ADMIN, WRONG)
    assert "too many" in errors(sign_in(client_for(REMOTE_ADDR="203.0.113.77")))[0], "the same network"
    client = client_for(REMOTE_ADDR="192.0.2.7")
    sign_in(client)
    assert is_signed_in(client)


def test_a_known_browser_is_let_in_from_the_network_of_the_guesser(cast, client_for):
    known = client_for()
    sign_in(known)
    known.post(LOGOUT)
    known.defaults["REMOTE_ADDR"] = "203.0.113.9"
    for _ in range(7):
        sign_in(client_for(REMOTE_ADDR="203.0.113.5"), ADMIN, WRONG)
    sign_in(known)
    assert is_signed_in(known)
    # Its own wrong ones count all the same.
    known.post(LOGOUT)
    for _ in range(5):
        sign_in(known, ADMIN, WRONG)
    assert "too many" in errors(sign_in(known))[0]


def test_a_volley_from_everywhere_stops_strangers_but_none_who_were_here_before(cast, client_for, settings):
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, "login_failed_anywhere": "6/h/key"}
    for login in (ADMIN, "nobody@acme.example"):
        sign_in(client_for(REMOTE_ADDR="192.0.2.7"), login)
        for number in range(6):
            sign_in(client_for(REMOTE_ADDR=f"198.51.{number}.1"), login, WRONG)
        assert "too many" in errors(sign_in(client_for(REMOTE_ADDR="203.0.113.5"), login))[0]
    client = client_for(REMOTE_ADDR="192.0.2.7")
    sign_in(client)
    assert is_signed_in(client)


# --- Two tabs ---
def test_of_two_tabs_with_the_sign_in_page_the_second_leads_on(cast, client_for):
    client = client_for(host=None, enforce_csrf_checks=True)

    def fields():
        page = client.get(LOGIN).content.decode()
        return dict(re.findall(r'<input[^>]*name="(csrfmiddlewaretoken)"\s+value="([^"]*)"', page))

    first, second = fields(), fields()
    assert sign_in(client, **first)["Location"] == "/"
    answer = sign_in(client, **second)
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert is_signed_in(client)


@pytest.mark.usefixtures("real_limits")
def test_nobody_comes_from_elsewhere_by_saying_so(cast, client_for):
    for number in range(10):
        guesses(client_for, 1, HTTP_X_FORWARDED_FOR=f"198.51.100.{number}")
    assert "too many" in errors(sign_in(client_for(HTTP_X_FORWARDED_FOR="198.51.100.99")))[0]


@pytest.mark.usefixtures("real_limits")
def test_behind_a_proxy_the_address_that_the_proxy_saw_counts(cast, client_for, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(10):
        guesses(client_for, 1, HTTP_X_FORWARDED_FOR=f"198.51.100.{number}, 192.0.2.7")
    same = client_for(HTTP_X_FORWARDED_FOR="198.51.100.99, 192.0.2.7")
    assert "too many" in errors(sign_in(same))[0]
    another = client_for(HTTP_X_FORWARDED_FOR="192.0.2.7, 203.0.113.1")
    sign_in(another)
    assert is_signed_in(another)


@pytest.mark.usefixtures("real_limits")
def test_too_many_requests_get_a_page_of_ours(cast, client_for):
    answers = [sign_in(client_for(), ADMIN, WRONG) for _ in range(31)]
    assert {answer.status_code for answer in answers[:30]} == {200}
    assert answers[30].status_code == 429
    assert "Too many tries" in answers[30].content.decode()


# --- Where to, afterwards ---
@pytest.mark.parametrize(
    "target",
    [
        "/settings/",
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
        "https://evil.example/",
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
        "http://[acme.portal.localhost/",
        "javascript:alert(1)",
        "javascript:alert(1)//.portal.localhost/",
        "data:text/html,portal.localhost",
        "ftp://acme.portal.localhost/",
        "\thttp://evil.example/",
        "http://evil.example\uff0f.portal.localhost/",
    ],
)
@pytest.mark.parametrize("host", [None, "acme"])
def test_nobody_is_led_to_a_strangers_site(cast, client_for, target, host):
    answer = sign_in(client_for(host=host), next=target)
    assert (answer.status_code, answer["Location"]) == (302, "/")


@pytest.mark.parametrize("target", ["http://[::1/", "http://evil.example\uff0f.portal.localhost/"])
def test_a_target_that_is_no_url_breaks_no_page(cast, client_for, target):
    assert client_for().get(LOGIN, {"next": target}).status_code == 200
    client = client_for(cast.admin)
    assert client.post(LOGOUT, {"next": target}).status_code == 302


def test_over_tls_nobody_is_led_back_to_plain_text(cast, client_for):
    client = client_for(host=None)
    answer = client.post(
        LOGIN,
        {"login": ADMIN, "password": PASSWORD, "next": "http://acme.portal.localhost:8000/"},
        secure=True,
    )
    assert answer["Location"] == "/"


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
        late.cookies[COMPANION] = companion_of(stolen)
        assert late.get("/settings/")["Location"].startswith(LOGIN)


@pytest.mark.parametrize("host", [None, "acme"])
def test_a_link_signs_nobody_out(cast, client_for, host):
    client = client_for(cast.owner, host=host)
    page = client.get(LOGOUT)
    assert page.status_code == 200
    assert f'action="{LOGOUT}"' in page.content.decode()
    assert is_signed_in(client)


@pytest.mark.parametrize("path", [LOGIN, LOGOUT])
def test_forms_of_other_sites_do_nothing(cast, client_for, path):
    client = client_for(cast.owner, enforce_csrf_checks=True)
    answer = client.post(path, {"login": ADMIN, "password": PASSWORD})
    assert answer.status_code == 403
    assert "open for too long" in answer.content.decode()
    assert client.session["_auth_user_id"] == str(cast.owner.pk)


# --- By invitation only ---
@pytest.mark.parametrize("path", ["signup/", "password/change/", "password/set/", "email/", "confirm-email/"])
@pytest.mark.parametrize("host", [None, "acme"])
def test_nobody_signs_up_and_nothing_else_of_the_library_is_open(cast, client_for, path, host):
    data = {"email": "new@acme.example", "password1": PASSWORD}
    for client in (client_for(host=host), client_for(cast.owner, host=host)):
        assert client.get(f"/accounts/{path}").status_code == 404
        assert client.post(f"/accounts/{path}", data).status_code == 404
    assert not User.objects.filter(email="new@acme.example").exists()


@pytest.mark.usefixtures("real_limits")
@pytest.mark.parametrize("spelling", ["192.0.2.7:49152", "::ffff:192.0.2.7", "[::ffff:192.0.2.7]:443"])
def test_an_address_counts_in_each_of_its_spellings(cast, client_for, settings, spelling):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    guesses(client_for, 10, HTTP_X_FORWARDED_FOR="192.0.2.7")
    same = client_for(HTTP_X_FORWARDED_FOR=f"198.51.100.1, {spelling}")
    assert "too many" in errors(sign_in(same))[0]
