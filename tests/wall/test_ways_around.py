"""Ways around the wall: forged hosts, cookies from elsewhere, rights that are gone. None of them leads in."""

from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.actors import SYSTEM
from portal.gates.companion import COMPANION, companion_of
from tenants.services import remove_membership
from tenants.services.authority import limit_to
from tests import cast
from tests.accounts.factors import is_signed_in, sign_in
from tests.cast import PASSWORD
from tests.wall.scene import ACME, BASE, GLOBEX, Person, Scene, send
from tests.wall.table import READERS, Outcome
from tests.wall.trying import Holes, doors, outcome, seen

SPELLINGS = [
    "ACME.portal.localhost",
    "acme.portal.localhost.",
    "Acme.Portal.Localhost.:8000",
    "acme.portal.localhost:1",
]
NOT_OURS = [
    "evil.example",
    "portal.localhost.evil.example",
    "acme.portal.localhost@evil.example",
    "evil.example#acme.portal.localhost",
    "acme.portal.localhost/",
    "acme.portal.localhost, globex.portal.localhost",
    "acme.portal.localhost\tx",
    "acme.portal.localhost:",
    "c_acme.portal.localhost",
    "[::1",
    "127.0.0.1.portal.localhost.evil.example",
    "",
]
NOWHERE = ["nowhere.portal.localhost", "a.acme.portal.localhost", "acme..portal.localhost"]
FORWARDED = [
    "x-forwarded-host",
    "x-host",
    "x-original-host",
    "x-forwarded-server",
    "forwarded",
    "x-original-url",
]


@pytest.fixture
def acmes(scene: Scene) -> list[str]:
    """The paths of Acme's console that show something to its people."""
    return [door.path for door in doors("customer", scene.things) if door.line.may <= READERS]


def signs_out(answer: Any) -> bool:
    return outcome(answer) == Outcome.SIGN_IN


# --- Hosts ---
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_host_in_another_spelling_is_the_same_host(scene: Scene, acmes: list[str], spelling: str) -> None:
    for path in acmes:
        assert outcome(scene.people["mallory"].tries("GET", path, spelling)) == Outcome.MISSING
    assert outcome(scene.people["admin"].tries("GET", "/mailboxes/", spelling)) == Outcome.PAGE
    assert signs_out(scene.people["anonymous"].tries("GET", "/mailboxes/", spelling))


@pytest.mark.parametrize("host", NOT_OURS)
def test_a_host_that_is_none_of_ours_shows_nothing_to_anybody(scene: Scene, host: str) -> None:
    for name in ("owner", "admin", "mallory", "anonymous"):
        for path in ("/", "/mailboxes/", "/customers/", "/accounts/login/", "/admin/"):
            answer = scene.people[name].tries("GET", path, host)
            assert answer.status_code == 404
            assert answer.content == b"Not Found"


def test_a_customer_that_does_not_exist_looks_like_one_where_one_may_not_go(
    scene: Scene, acmes: list[str]
) -> None:
    """Nobody who has not signed in learns of it either: there the next test asks at every URL."""
    for name in ("mallory", "rival", "staff", "stranger"):
        person = scene.people[name]
        for path in (*acmes, "/accounts/login/", "/accounts/logout/"):
            there, *nowhere = (seen(person.tries("GET", path, at), at) for at in (ACME, *NOWHERE))
            assert nowhere == [there] * len(NOWHERE), f"{name} learns from {path} that Acme exists"


def test_no_page_but_a_door_tells_the_anonymous_which_customers_exist(scene: Scene) -> None:
    anonymous = scene.people["anonymous"]
    for door in doors("customer", scene.things):
        for method in ("GET", "POST"):
            if Outcome.PAGE in door.line.expected("customer", "anonymous", method):
                continue  # which says whose it is: tests/console/frame/test_frame.py
            there, *nowhere = (seen(anonymous.tries(method, door.path, at), at) for at in (ACME, *NOWHERE))
            assert nowhere == [there] * len(NOWHERE), f"{method} {door} tells that Acme exists"


@pytest.mark.parametrize("header", FORWARDED)
def test_what_a_client_says_of_its_host_elsewhere_is_not_believed(
    scene: Scene, acmes: list[str], header: str
) -> None:
    said = {"forwarded": f"host={ACME}", "x-original-url": "/mailboxes/"}.get(header, ACME)
    mallory, mailbox = scene.people["mallory"], scene.things["mailbox"].own[0]
    for path in acmes:
        answer = mallory.tries("GET", path, GLOBEX, **{header: said})
        assert "Acme" not in answer.content.decode()
    assert (
        outcome(mallory.tries("GET", f"/mailboxes/{mailbox}/", GLOBEX, **{header: said})) == Outcome.MISSING
    )
    assert outcome(mallory.tries("GET", "/mailboxes/", ACME, **{header: GLOBEX})) == Outcome.MISSING


@pytest.mark.parametrize("header", FORWARDED)
def test_no_answer_leads_where_a_forged_header_points(scene: Scene, header: str) -> None:
    for host, name in ((BASE, "base"), (ACME, "customer")):
        for door in doors(name, scene.things):
            if door.name.startswith("admin:") and door.name != "admin:index":
                continue
            answer = scene.people["anonymous"].tries("GET", door.path, host, **{header: "evil.example"})
            assert "evil.example" not in answer.get("Location", "")
            assert "evil.example" not in answer.content.decode()


# --- One cookie for all hosts ---
def test_one_sign_in_counts_on_every_host_and_opens_only_what_the_person_may(scene: Scene) -> None:
    owner, mallory = (
        scene.people["owner"],
        scene.people["mallory"],
    )  # both have signed in on the operators' host
    assert [outcome(owner.tries("GET", "/mailboxes/", host)) for host in (ACME, GLOBEX)] == [Outcome.PAGE] * 2
    assert outcome(mallory.tries("GET", "/mailboxes/", GLOBEX)) == Outcome.PAGE
    assert outcome(mallory.tries("GET", "/mailboxes/", ACME)) == Outcome.MISSING


def test_a_session_gets_another_id_when_somebody_signs_in(scene: Scene) -> None:
    """Whoever had put the earlier one into the browser would know it."""
    browser = Client(headers={"host": ACME})
    browser.get("/accounts/login/")
    session = browser.session
    session["planted"] = True
    session.save()
    browser.cookies["sessionid"] = planted = session.session_key
    browser.cookies[COMPANION] = companion_of(planted)  # or it would be nobody's from the beginning
    sign_in(browser, "viewer@acme.example")
    assert is_signed_in(browser)
    assert browser.session.session_key != planted
    assert not Session.objects.filter(pk=planted).exists()
    headers = {"host": ACME, "cookie": f"sessionid={planted}; {COMPANION}={companion_of(planted)}"}
    assert signs_out(send("GET", "/mailboxes/", headers))


def test_a_session_that_nobody_has_made_here_is_nobodys(scene: Scene) -> None:
    for value in ("a" * 32, "", "x" * 5000, "../../etc/passwd", "1 OR 1=1"):
        assert signs_out(send("GET", "/mailboxes/", {"host": ACME, "cookie": f"sessionid={value}"}))


def test_the_session_cookie_is_shut_to_scripts_and_other_sites(scene: Scene) -> None:
    browser = Client(headers={"host": ACME})
    sign_in(browser, "viewer@acme.example")
    cookie = browser.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["domain"]) == (True, "Lax", BASE)


# --- What was allowed a second ago ---
def away_from(person: Person, paths: list[str]) -> bool:
    return all(
        outcome(person.does(method, path, ACME)) == Outcome.MISSING
        for path in paths
        for method in ("GET", "POST")
    )


@pytest.mark.parametrize("name", ["admin", "viewer", "owner", "operator", "auditor"])
def test_who_has_just_lost_the_role_finds_nothing_any_more(scene: Scene, acmes: list[str], name: str) -> None:
    person = scene.people[name]
    assert person.user
    assert outcome(person.does("GET", "/mailboxes/", ACME)) == Outcome.PAGE
    membership = person.user.memberships.get()
    if name == "owner":  # the last one stays; she has gone as another owner would let her go
        membership.delete()
    else:
        remove_membership(membership, by=SYSTEM)
    assert away_from(person, acmes)
    if membership.provider_id:
        for path in ("/team/", "/activity/", "/activity/activity.csv"):
            assert outcome(person.does("GET", path, BASE)) == Outcome.MISSING


def test_an_operator_who_has_just_been_limited_to_others_finds_nothing_here(
    scene: Scene, acmes: list[str]
) -> None:
    operator = scene.people["operator"]
    assert operator.user
    assert outcome(operator.does("GET", "/mailboxes/", ACME)) == Outcome.PAGE
    limit_to(operator.user.memberships.get(), [cast.customer("globex")])
    assert away_from(operator, acmes)
    assert outcome(operator.does("GET", "/mailboxes/", GLOBEX)) == Outcome.PAGE


def test_an_account_that_has_just_been_closed_is_signed_out_everywhere(
    scene: Scene, acmes: list[str]
) -> None:
    admin = scene.people["admin"]
    assert admin.user
    type(admin.user).objects.filter(pk=admin.user.pk).update(is_active=False)
    assert all(signs_out(admin.does("GET", path, ACME)) for path in acmes if "again" not in path)
    assert signs_out(admin.does("GET", "/customers/", BASE))


@pytest.mark.parametrize(("here", "there"), [(BASE, ACME), (ACME, BASE), (ACME, GLOBEX)])
def test_who_signs_out_on_one_host_is_out_on_all_and_the_cookie_is_worth_nothing(
    scene: Scene, here: str, there: str
) -> None:
    owner = scene.people["owner"]
    pages = {BASE: "/customers/", ACME: "/mailboxes/", GLOBEX: "/mailboxes/"}
    assert outcome(owner.does("GET", pages[there], there)) == Outcome.PAGE
    owner.does("POST", "/accounts/logout/", here)
    for host, page in pages.items():
        assert signs_out(owner.does("GET", page, host))  # with the cookie of before


def test_a_changed_password_ends_the_other_sessions(scene: Scene) -> None:
    admin = scene.people["admin"]
    assert admin.user
    other = Client(headers={"host": ACME})
    other.force_login(admin.user)
    new = "quite-another-four-words"
    other.post(
        "/settings/password/choose/",
        {"current_password": PASSWORD, "new_password": new, "new_password_again": new},
    )
    admin.user.refresh_from_db()
    assert admin.user.check_password(new)
    assert signs_out(admin.does("GET", "/mailboxes/", ACME))
    assert other.get("/mailboxes/").status_code == 200


# --- One host's pages on another ---
def test_the_operators_pages_are_not_on_customers_hosts_nor_the_other_way_round(scene: Scene) -> None:
    base, customer = ({door.path for door in doors(host, scene.things)} for host in ("base", "customer"))
    holes = Holes()
    for name in ("owner", "staff"):
        for host, paths in ((ACME, base - customer), (BASE, customer - base)):
            for path in paths:
                status = scene.people[name].tries("GET", path, host).status_code
                if status != 404:
                    holes.note(f"{path} at {host}, {name}: {status}")
    assert not holes.found, str(holes)
