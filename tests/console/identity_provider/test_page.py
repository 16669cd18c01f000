"""An owner's page of where their people sign in: what it takes, what it says, and what never comes out again."""

import json
from itertools import chain

import pytest
from allauth.socialaccount.models import SocialApp

from accounts.openid.secrets import decrypt
from tenants.identity.domains import record_of
from tenants.models import AuditEvent, Customer, IdentityProvider
from tests.accounts.openid.kit import CLIENT_SECRET, PAGE, callback
from tests.cast import customer, provider
from tests.pages import presses, read, shown, text_of
from tests.tenants.kit import text

pytest_plugins = ["tests.accounts.openid.portal"]

SECRET_AGAIN = "Type the secret again: it is never sent back to the page."
TENANT = "9f2c5a1e-7d1b-4c0a-8a55-0d6d5c1f3b7a"


def copied(answer):
    """What the page's buttons *Copy* take."""
    tree = read(answer)
    return [
        text_of(tree.get_element_by_id(one.get("data-copy")[1:])) for one in tree.xpath("//*[@data-copy]")
    ]


def test_an_owner_sets_it_up_and_it_works(typed, cast, client_for, openid, way_in, proves):
    client = client_for(cast.owner, host=None)
    shown = client.get(PAGE)
    assert copied(shown) == [callback("northwind")]
    assert presses(shown, "Save the settings", **typed)["Location"] == PAGE
    shown = client.get(PAGE)
    assert "The identity provider is saved." in text(shown)
    records = [record_of(provider("northwind"), domain) for domain in ("northwind.example", "acme.example")]
    assert copied(shown) == [callback("northwind"), *chain(*records)]
    proves(IdentityProvider.objects.get(), cast.owner)
    openid.knows(cast.auditor.email)
    visitor = way_in()
    visitor.signs_in(cast.auditor.email)
    assert visitor.is_signed_in
    assert "1 person has signed in with it" in text(client.get(PAGE))


def test_the_secret_is_encrypted_and_comes_out_nowhere(typed, cast, client_for):
    client = client_for(cast.owner, host=None)
    client.post(PAGE, typed)
    app = SocialApp.objects.get()
    assert CLIENT_SECRET not in json.dumps([app.secret, app.key, app.settings])
    assert decrypt(app.settings["sealed_secret"], provider_id="northwind") == CLIENT_SECRET
    assert CLIENT_SECRET not in client.get(PAGE).content.decode()
    assert CLIENT_SECRET not in client.post(PAGE, typed | {"email_domains": ""}).content.decode()
    assert CLIENT_SECRET not in json.dumps(list(AuditEvent.objects.values()), default=str)


def test_an_empty_secret_keeps_the_saved_one(typed, cast, client_for):
    client = client_for(cast.owner, host=None)
    client.post(PAGE, typed)
    client.post(PAGE, typed | {"client_secret": "", "email_domains": "northwind.example"})
    app = SocialApp.objects.get()
    assert decrypt(app.settings["sealed_secret"], provider_id="northwind") == CLIENT_SECRET
    assert IdentityProvider.objects.get().email_domains == ["northwind.example"]


def test_another_service_says_how_many_customers_it_costs_and_asks_first(northwinds, cast, client_for):
    """Their people are signed out and kept out until each of them has consented once more."""
    page = client_for(cast.owner, host=None).get(PAGE)
    domains = presses(page, "Save the settings", email_domains="northwind.example\nacme.example\n")
    assert domains["Location"] == PAGE, "the same service costs nobody's consent"
    asked = presses(
        page, "Save the settings", issuer="https://elsewhere.example", client_secret=CLIENT_SECRET
    )
    assert "1 customer allows its people to sign in with the service that is saved" in text_of(read(asked))
    assert SECRET_AGAIN in text(asked)
    assert customer("acme").identity_provider_consent
    meant = {"loss_accepted": True, "client_secret": CLIENT_SECRET}
    other = presses(asked, "Save the settings", issuer="https://third.example", **meant)
    assert "Tick this if it is meant." in text(other), "it was meant of that service"
    Customer.objects.filter(slug="globex").update(identity_provider_consent=True)
    more = presses(asked, "Save the settings", **meant)
    assert "2 customers allow their people" in text_of(read(more)), "it was meant of that number"
    Customer.objects.filter(slug="acme").update(identity_provider_consent=False)
    swapped = text_of(read(presses(asked, "Save the settings", **meant)))
    assert "1 customer allows its people" in swapped and "These are other customers" in swapped
    Customer.objects.filter(slug="acme").update(identity_provider_consent=True)
    Customer.objects.filter(slug="globex").update(identity_provider_consent=False)
    assert customer("acme").identity_provider_consent
    again = presses(asked, "Save the settings", loss_accepted=True)
    assert "Type the client secret" in text(again), "still nothing is saved"
    assert customer("acme").identity_provider_consent
    assert presses(again, "Save the settings", client_secret=CLIENT_SECRET)["Location"] == PAGE, (
        "the tick has stayed"
    )
    assert not customer("acme").identity_provider_consent
    northwinds.app.refresh_from_db()
    assert northwinds.issuer == "https://elsewhere.example"
    page = page.client.get(PAGE)
    assert (
        presses(page, "Save the settings", client_id="another", client_secret=CLIENT_SECRET)["Location"]
        == PAGE
    )


def test_check_asks_the_service_and_saves_nothing(typed, cast, client_for):
    answer = presses(client_for(cast.owner, host=None).get(PAGE), "Check", **typed)
    assert "The service answers. People will sign in at 127.0.0.1." in text(answer)
    assert not IdentityProvider.objects.exists()
    assert SECRET_AGAIN in text(answer), "the page that came back has lost it"
    assert shown(answer, "Save the settings")["issuer"] == typed["issuer"]
    answer = presses(answer, "Check")
    assert SECRET_AGAIN not in text(answer), "none was typed"
    assert "Type the client secret: it is kept only" not in text(answer), "asking the service needs none"
    assert presses(answer, "Save the settings", client_secret=CLIENT_SECRET)["Location"] == PAGE


@pytest.mark.parametrize(
    ("kind", "required", "where"),
    # Client ID and domains, and the issuer.
    [("oidc", 3, ""), ("entra", 2, "Type the directory's tenant ID")],
)
def test_an_empty_form_is_told_all_that_is_missing(cast, client_for, kind, required, where):
    answer = presses(client_for(cast.owner, host=None).get(PAGE), "Save the settings", kind=kind)
    told = text_of(read(answer))
    assert told.count("This field is required.") == required
    assert where in told
    assert "Type the client secret: it is kept only" in told


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/nowhere", "there is no OpenID Connect configuration (HTTP status 404)"),
        ("/another", "The service there calls itself"),
        ("/moved", "leads on to another address"),
        ("/endless", "does not answer in time"),
        ("/nested", "there is no OpenID Connect configuration (HTTP status 200)"),
        ("/numbers", "there is no OpenID Connect configuration (HTTP status 200)"),
    ],
)
def test_check_says_what_ails_the_service(typed, cast, client_for, path, words):
    answer = client_for(cast.owner, host=None).post(
        PAGE, typed | {"issuer": typed["issuer"] + path, "check": "1"}
    )
    assert words in text(answer)


@pytest.mark.parametrize(
    "issuer",
    [
        "sign-in.example",
        "ftp://sign-in.example",
        "http://sign-in.example",
        "http://localhost.example",
        "http://192.0.2.1",
        "file:///etc/passwd",
        "https://",
        "https://[::1",
    ],
)
def test_what_is_no_address_is_refused(typed, cast, client_for, issuer):
    shown = client_for(cast.owner, host=None).get(PAGE)
    for button in ("Save the settings", "Check"):
        answer = presses(shown, button, **typed | {"issuer": issuer})
        assert "Type an address that begins with https://" in text(answer)


def test_a_missing_issuer_is_named_by_both_buttons(typed, cast, client_for):
    shown = client_for(cast.owner, host=None).get(PAGE)
    for button in ("Save the settings", "Check"):
        answer = presses(shown, button, **typed | {"issuer": ""})
        assert "This field is required." in text(answer)


@pytest.mark.parametrize(
    "tenant", ["", "common", "organizations", "consumers", "northwind.example", TENANT + "0"]
)
def test_entra_id_takes_one_directory_and_never_all_of_them(typed, cast, client_for, tenant):
    answer = client_for(cast.owner, host=None).post(PAGE, typed | {"kind": "entra", "tenant": tenant})
    assert "Type the directory&#x27;s tenant ID" in text(answer)


def test_entra_id_is_set_up_by_its_tenant_id(typed, cast, client_for):
    client_for(cast.owner, host=None).post(PAGE, typed | {"kind": "entra", "tenant": TENANT.upper()})
    app = SocialApp.objects.get()
    assert app.settings["server_url"] == f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert app.settings["tenant"] == TENANT


@pytest.mark.parametrize(
    ("who", "status"),
    [("auditor", 403), ("admin", 404), ("mallory", 404), ("stranger", 404), ("staff", 404), (None, 302)],
)
def test_only_owners_get_there(typed, cast, client_for, who, status):
    client = client_for(getattr(cast, who) if who else None, host=None)
    assert client.get(PAGE).status_code == status
    assert client.post(PAGE, typed).status_code == status
    for path in ("switch/", "forget/"):
        assert client.post(PAGE + path).status_code == status
    assert not IdentityProvider.objects.exists()


def test_a_rivals_owner_does_not_get_there_either(northwinds, cast, client_for):
    client = client_for(cast.rival, host=None)
    assert client.get(PAGE + "?provider=northwind").status_code == 404
    assert client.post(PAGE + "switch/?provider=northwind", {"active": "off"}).status_code == 404
    assert client.post(PAGE + "switch/", {"active": "off"}).status_code == 404
    northwinds.refresh_from_db()
    assert northwinds.active


def test_it_is_switched_off_and_on_by_buttons(northwinds, cast, client_for):
    client = client_for(cast.owner, host=None)
    for button, active in (("off", False), ("off", False), ("on", True)):
        assert client.post(PAGE + "switch/", {"active": button}, follow=True).status_code == 200
        northwinds.refresh_from_db()
        assert northwinds.active is active
    told = AuditEvent.objects.filter(action__startswith="identity-provider.switched", customer_id=None)
    actions = told.order_by("pk")
    assert [event.action.rpartition("-")[2] for event in actions] == ["off", "on"]


def test_forgetting_who_never_came_says_so(northwinds, cast, client_for):
    answer = client_for(cast.owner, host=None).post(PAGE + "forget/", {"email": "admin@acme.example"})
    assert "has not signed in by this identity provider yet" in text(answer)
