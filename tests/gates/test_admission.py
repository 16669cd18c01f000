"""A session that an identity provider has opened, and what ends it: asked again with every request."""

from dataclasses import replace
from threading import Thread

import pytest
from allauth.socialaccount.models import SocialAccount
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.actors import SYSTEM
from accounts.models import User
from tenants import identity
from tenants.models import Membership, ProvenDomain
from tenants.services import add_membership, change_member, remove_member
from tests.accounts.factors import CODE, SECURITY, is_signed_in, sets_up_an_app, sign_in
from tests.accounts.openid.kit import CLIENT_ID, CLIENT_SECRET, PAGE, callback
from tests.cast import customer, provider
from tests.locks import until_they_wait
from tests.pages import presses
from tests.tenants.kit import at_once, text

pytest_plugins = ["tests.accounts.openid.portal"]

ADMIN = "admin@acme.example"
LOGIN = "/accounts/login/"


@pytest.fixture
def by_organization(northwinds, openid, way_in):
    """The browser of Acme's admin, who has come by Northwind's identity provider."""
    openid.knows(ADMIN)
    visitor = way_in()
    visitor.signs_in(ADMIN)
    return visitor.client


def goes_to(client, host):
    return client.get("/mailboxes/", headers={"host": f"{host}.portal.localhost"})


def is_led_to_the_sign_in(answer):
    return answer.status_code == 302 and answer["Location"].startswith(LOGIN)


def test_who_gets_a_role_at_another_provider_signs_in_anew_and_by_password(by_organization, cast):
    """Northwind's service may say what it likes of them; Fabrikam's customers must not depend on that."""
    assert goes_to(by_organization, "acme").status_code == 200
    add_membership(cast.admin, provider=provider("fabrikam"), role="operator", by=SYSTEM)
    assert is_led_to_the_sign_in(goes_to(by_organization, "initech"))
    assert is_led_to_the_sign_in(goes_to(by_organization, "acme"))
    assert "Sign in with your password" in by_organization.get(LOGIN).content.decode()
    sign_in(by_organization, ADMIN)
    assert goes_to(by_organization, "initech").status_code == 200
    assert goes_to(by_organization, "acme").status_code == 200


@pytest.mark.parametrize(
    "ends",
    [
        lambda service, by: identity.switch(service, active=False, by=by),
        lambda service, by: User.objects.filter(email=ADMIN).update(is_staff=True),
        lambda service, by: type(service).objects.update(email_domains=["northwind.example"]),
        lambda service, by: service.delete(),
    ],
    ids=["switched off", "platform staff now", "another domain", "gone"],
)
def test_whom_it_may_no_longer_sign_in_is_signed_out_and_others_are_not(
    by_organization, northwinds, cast, client_for, ends
):
    by_password = client_for()
    sign_in(by_password, ADMIN)
    ends(northwinds, cast.owner)
    assert is_led_to_the_sign_in(goes_to(by_organization, "acme"))
    assert not is_signed_in(by_organization)
    assert goes_to(by_password, "acme").status_code == 200


def test_what_was_sent_meanwhile_is_not_done(by_organization, northwinds, cast):
    identity.switch(northwinds, active=False, by=cast.owner)
    assert is_led_to_the_sign_in(by_organization.post("/settings/", {"language": "de"}))
    assert User.objects.get(email=ADMIN).language != "de"


# --- What was taken back and given anew ---
@pytest.fixture
def acts(northwinds, openid, cast, client_for, proves):
    """What takes back, and gives anew, on what a session by Northwind's service stands, each by its name."""
    owner, admin = client_for(cast.owner, host=None), client_for(cast.admin)

    def saves(**fields):
        asked = presses(owner.get(PAGE), "Save the settings", client_secret=CLIENT_SECRET, **fields)
        if asked.status_code == 200:
            asked = presses(asked, "Save the settings", client_secret=CLIENT_SECRET, loss_accepted=True)
        assert asked["Location"] == PAGE

    def another_service():
        openid.knows_client(callback("northwind"), client_id="another")
        saves(client_id="another")
        presses(admin.get("/people/"), "Allow it")

    def lapses_and_agrees_anew():
        ProvenDomain.objects.all().delete()
        proves(northwinds, cast.owner)

    return {
        "switched off and on": lambda: [presses(owner.get(PAGE), f"Switch {to}") for to in ("off", "on")],
        "another service": another_service,
        "another service and back": lambda: (
            [another_service(), saves(client_id=CLIENT_ID)] and presses(admin.get("/people/"), "Allow it")
        ),
        "the consent": lambda: [
            presses(admin.get("/people/"), button) for button in ("Allow it no longer", "Allow it")
        ],
        "the account": lambda: presses(owner.get(PAGE), "Forget", email=ADMIN),
        "the domain's agreement": lapses_and_agrees_anew,
        "the domain": lambda: [
            saves(email_domains=named) for named in ("northwind.example", "northwind.example acme.example")
        ],
    }


TAKEN = [
    "switched off and on",
    "another service",
    "another service and back",
    "the consent",
    "the account",
    "the domain's agreement",
    "the domain",
]


@pytest.mark.parametrize("taken", TAKEN)
def test_what_was_taken_back_and_given_anew_opens_no_session_of_before(by_organization, acts, way_in, taken):
    assert goes_to(by_organization, "acme").status_code == 200
    acts[taken]()
    assert is_led_to_the_sign_in(goes_to(by_organization, "acme"))
    assert not is_signed_in(by_organization)
    assert "has changed. Sign in once more." in by_organization.get(LOGIN).content.decode()
    way_in_again = way_in()
    way_in_again.client = by_organization
    way_in_again.signs_in(ADMIN)
    assert goes_to(by_organization, "acme").status_code == 200


@pytest.mark.parametrize("taken", ["switched off and on", "another service", "the consent", "the account"])
def test_nor_does_it_complete_a_sign_in_of_before(with_app, acts, openid, way_in, clock, taken):
    openid.knows(ADMIN)
    visitor = way_in()
    assert visitor.signs_in(ADMIN)["Location"].startswith(CODE)
    acts[taken]()
    clock.tick()
    assert visitor.client.post(CODE, {"code": clock.code(with_app)})["Location"] == LOGIN
    assert not visitor.is_signed_in
    visitor.signs_in(ADMIN)
    assert visitor.client.post(CODE, {"code": clock.code(with_app)})["Location"] == "/"
    assert goes_to(visitor.client, "acme").status_code == 200


def test_a_sign_in_that_was_left_half_done_does_not_end_the_next(with_app, acts, openid, way_in, clock):
    openid.knows(ADMIN)
    visitor = way_in()
    visitor.signs_in(ADMIN)
    acts["switched off and on"]()
    assert visitor.signs_in(ADMIN)["Location"].startswith(CODE)
    clock.tick()
    visitor.client.post(CODE, {"code": clock.code(with_app)})
    assert goes_to(visitor.client, "acme").status_code == 200


@pytest.mark.parametrize("taken", ["switched off and on", "another service"])
def test_the_providers_own_people_sign_in_once_more_too(acts, openid, way_in, cast, taken):
    openid.knows(cast.auditor.email)
    visitor = way_in()
    visitor.signs_in(cast.auditor.email)
    assert visitor.client.get("/team/").status_code == 200
    acts[taken]()
    assert is_led_to_the_sign_in(visitor.client.get("/team/"))


def test_whom_it_does_not_concern_stays(by_organization, northwinds, acts, openid, way_in, cast):
    openid.knows(cast.auditor.email)
    auditor = way_in()
    auditor.signs_in(cast.auditor.email)
    acts["the consent"]()
    acts["the account"]()
    more = identity.configuration_of(northwinds, by=cast.owner)
    identity.change(northwinds, more, client_secret=CLIENT_SECRET, by=cast.owner)
    assert auditor.client.get("/team/").status_code == 200


def test_a_role_more_is_another_admission_and_one_less_is_not(
    northwinds, openid, way_in, cast, client_for, clock
):
    """Its word stood in for the person's own factor, which it does at no customer."""
    app = sets_up_an_app(client_for(cast.auditor, host=None), clock)
    openid.knows(cast.auditor.email, id_token={"amr": ["mfa"]})
    visitor = way_in()
    visitor.signs_in(cast.auditor.email)
    assert visitor.client.get(SECURITY).status_code == 200
    role = add_membership(cast.auditor, customer=customer("acme"), role="viewer", by=SYSTEM)
    assert is_led_to_the_sign_in(goes_to(visitor.client, "acme"))
    assert visitor.signs_in(cast.auditor.email)["Location"].startswith(CODE)
    visitor.client.post(CODE, {"code": clock.code(app)})
    assert goes_to(visitor.client, "acme").status_code == 200
    remove_member(customer("acme"), role.pk, by=cast.owner)
    assert visitor.client.get(SECURITY).status_code == 200


def test_a_role_that_was_taken_away_and_given_anew_opens_no_session_of_before(
    northwinds, openid, way_in, cast
):
    openid.knows(cast.auditor.email)
    visitor = way_in()
    visitor.signs_in(cast.auditor.email)
    role = Membership.objects.get(user=cast.auditor)
    remove_member(provider("northwind"), role.pk, by=cast.owner)
    add_membership(cast.auditor, provider=provider("northwind"), role=role.role, by=SYSTEM)
    assert is_led_to_the_sign_in(visitor.client.get(SECURITY))


@pytest.mark.parametrize(
    "changes",
    [
        [("owner", None)],
        [("owner", None), ("auditor", None)],
        [("auditor", ["globex"])],
        [("auditor", ["globex"]), ("auditor", None)],
    ],
    ids=["more", "more and back", "a limit", "a limit and back"],
)
def test_a_role_that_was_changed_in_place_opens_no_session_of_before(
    northwinds, openid, way_in, cast, changes
):
    openid.knows(cast.auditor.email)
    visitor = way_in()
    visitor.signs_in(cast.auditor.email)
    pk = Membership.objects.get(user=cast.auditor).pk
    for role, limit in changes:
        customers = limit and [customer(slug) for slug in limit]
        change_member(provider("northwind"), pk, role=role, customers=customers, by=cast.owner)
    assert is_led_to_the_sign_in(visitor.client.get(SECURITY))
    visitor.signs_in(cast.auditor.email)
    change_member(provider("northwind"), pk, role=role, customers=customers, by=cast.owner)  # the same
    assert visitor.client.get(SECURITY).status_code == 200


def test_a_session_of_an_earlier_release_which_does_not_say_what_it_stands_on_ends(by_organization):
    session = by_organization.session
    for record in session["account_authentication_methods"]:
        del record["account"], record["admission"]
    session.save()
    assert is_led_to_the_sign_in(goes_to(by_organization, "acme"))


@pytest.mark.usefixtures("committed_db")
def test_no_account_is_remembered_of_a_service_that_is_another_one_by_now(northwinds, openid, way_in, cast):
    """While somebody comes back from there, for which the service may take its time."""
    email, answers = cast.auditor.email, []
    openid.knows(email)
    visitor = way_in()
    comes_back = openid.signs_in(visitor.authorization(email), email)
    wanted = replace(identity.configuration_of(northwinds, by=cast.owner), client_id="another")
    accepted = identity.consents_lost(northwinds, wanted, by=cast.owner).loss
    coming = Thread(target=lambda: at_once(lambda: answers.append(visitor.back(comes_back))))
    with transaction.atomic(), connection.cursor() as cursor:
        User.objects.select_for_update().get(email=email)
        coming.start()
        until_they_wait(cursor, 1, or_ended=lambda: not coming.is_alive())
        saved = at_once(
            lambda: identity.change(
                northwinds, wanted, client_secret="x", loss_accepted=accepted, by=cast.owner
            )
        )
    coming.join(timeout=60)
    assert saved == ["done"]
    assert "This sign-in is over" in text(answers[0])
    assert not SocialAccount.objects.exists() and not visitor.is_signed_in


# --- Of others ---


def test_of_a_session_by_password_nothing_is_asked(northwinds, client_for):
    client = client_for()
    sign_in(client, ADMIN)
    with CaptureQueriesContext(connection) as asked:
        goes_to(client, "acme")
    assert not [query for query in asked.captured_queries if "identityprovider" in query["sql"]]
