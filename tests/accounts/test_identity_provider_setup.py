"""An owner sets up where their people sign in: whose domains it may speak for, and what never comes out again."""

import json
import re
import socket
import ssl
import sys
import threading
import time
from ast import literal_eval
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from allauth.socialaccount.models import SocialAccount, SocialApp
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime

from accounts.actors import SYSTEM
from accounts.openid import errors as openid_errors
from accounts.openid import outbound
from accounts.openid import protocol as openid
from accounts.openid.protocol import discover
from accounts.openid.secrets import open_sealed
from accounts.services import create_person
from tenants import identity
from tenants.errors import NotAllowed
from tenants.identity import errors as identity_errors
from tenants.identity.domains import record_of
from tenants.models import AuditEvent, IdentityProvider, ProvenDomain
from tenants.services import add_membership
from tenants.tasks import recheck_domain, recheck_domains
from tests.accounts.openid.kit import CLIENT_SECRET, callback
from tests.breaking.workers import QUEUE, Bell
from tests.cast import customer, provider
from tests.pages import presses, read, shown, text_of

pytest_plugins = ["tests.accounts.openid.portal"]

PAGE = "/team/identity-provider/"
SECRET_AGAIN = "Type the secret again: it is never sent back to the page."
TENANT = "9f2c5a1e-7d1b-4c0a-8a55-0d6d5c1f3b7a"


@pytest.fixture
def typed(openid, playground):
    return {
        "kind": "oidc",
        "issuer": openid.issuer,
        "tenant": "",
        "client_id": "gatehouse",
        "client_secret": CLIENT_SECRET,
        "email_domains": "northwind.example\n@Acme.example",
    }


def page(answer):
    return " ".join(answer.content.decode().split())


def copied(answer):
    """What the page's buttons *Copy* take."""
    tree = read(answer)
    return [
        text_of(tree.get_element_by_id(one.get("data-copy")[1:])) for one in tree.xpath("//*[@data-copy]")
    ]


def wanted(openid, *domains, **more):
    from tests.accounts.openid.portal import configuration

    return configuration(openid, *(domains or ("northwind.example",)), **more)


# --- The page ---
def test_an_owner_sets_it_up_and_it_works(typed, cast, client_for, openid, way_in, proves):
    client = client_for(cast.owner, host=None)
    shown = client.get(PAGE)
    assert copied(shown) == [callback("northwind")]
    assert presses(shown, "Save", **typed)["Location"] == PAGE
    shown = client.get(PAGE)
    assert "The identity provider is saved." in page(shown)
    records = [record_of(provider("northwind"), domain) for domain in ("northwind.example", "acme.example")]
    assert copied(shown) == [callback("northwind"), *chain(*records)]
    proves(IdentityProvider.objects.get(), cast.owner)
    openid.knows(cast.auditor.email)
    visitor = way_in()
    visitor.signs_in(cast.auditor.email)
    assert visitor.is_signed_in
    assert "1 person has signed in with it" in page(client.get(PAGE))


def test_the_secret_is_encrypted_and_comes_out_nowhere(typed, cast, client_for):
    client = client_for(cast.owner, host=None)
    client.post(PAGE, typed)
    app = SocialApp.objects.get()
    assert CLIENT_SECRET not in json.dumps([app.secret, app.key, app.settings])
    assert open_sealed(app.settings["sealed_secret"], provider_id="northwind") == CLIENT_SECRET
    assert CLIENT_SECRET not in client.get(PAGE).content.decode()
    assert CLIENT_SECRET not in client.post(PAGE, typed | {"email_domains": ""}).content.decode()
    assert CLIENT_SECRET not in json.dumps(list(AuditEvent.objects.values()), default=str)


def test_an_empty_secret_keeps_the_saved_one(typed, cast, client_for):
    client = client_for(cast.owner, host=None)
    client.post(PAGE, typed)
    client.post(PAGE, typed | {"client_secret": "", "email_domains": "northwind.example"})
    app = SocialApp.objects.get()
    assert open_sealed(app.settings["sealed_secret"], provider_id="northwind") == CLIENT_SECRET
    assert IdentityProvider.objects.get().email_domains == ["northwind.example"]


def test_check_asks_the_service_and_saves_nothing(typed, cast, client_for):
    answer = presses(client_for(cast.owner, host=None).get(PAGE), "Check", **typed)
    assert "The service answers. People will sign in at 127.0.0.1." in page(answer)
    assert not IdentityProvider.objects.exists()
    assert SECRET_AGAIN in page(answer), "the page that came back has lost it"
    assert shown(answer, "Save")["issuer"] == typed["issuer"]
    answer = presses(answer, "Check")
    assert SECRET_AGAIN not in page(answer), "none was typed"
    assert "Type the client secret: it is kept only" not in page(answer), "asking the service needs none"
    assert presses(answer, "Save", client_secret=CLIENT_SECRET)["Location"] == PAGE


@pytest.mark.parametrize(
    ("kind", "required", "where"),
    # Client ID and domains, and the issuer.
    [("oidc", 3, ""), ("entra", 2, "Type the directory's tenant ID")],
)
def test_an_empty_form_is_told_all_that_is_missing(cast, client_for, kind, required, where):
    answer = presses(client_for(cast.owner, host=None).get(PAGE), "Save", kind=kind)
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
    assert words in page(answer)


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
    for button in ("Save", "Check"):
        answer = presses(shown, button, **typed | {"issuer": issuer})
        assert "Type an address that begins with https://" in page(answer)


def test_a_missing_issuer_is_named_by_both_buttons(typed, cast, client_for):
    shown = client_for(cast.owner, host=None).get(PAGE)
    for button in ("Save", "Check"):
        answer = presses(shown, button, **typed | {"issuer": ""})
        assert "This field is required." in page(answer)


@pytest.mark.parametrize(
    "tenant", ["", "common", "organizations", "consumers", "northwind.example", TENANT + "0"]
)
def test_entra_id_takes_one_directory_and_never_all_of_them(typed, cast, client_for, tenant):
    answer = client_for(cast.owner, host=None).post(PAGE, typed | {"kind": "entra", "tenant": tenant})
    assert "Type the directory&#x27;s tenant ID" in page(answer)


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
    assert "has not signed in by this identity provider yet" in page(answer)


# --- Proof of domains ---
def test_nobody_is_led_to_it_before_the_domain_has_agreed_by_dns(
    typed, proves, name_server, cast, client_for, way_in
):
    owner, domain = client_for(cast.owner, host=None), "northwind.example"
    owner.post(PAGE, typed)

    def presses_check():
        shown = owner.get(PAGE).content.decode()
        form = re.search(r'<form method="post" action="([^"]+/prove/[^"]*)"', shown)
        return shown, page(owner.post(form[1], {"domain": domain}, follow=True))

    shown, answer = presses_check()
    name, text = re.findall(r'<code id="record-[^>]+>([^<]+)</code>', shown)[:2]
    assert f"There is no TXT record with that text at “{name}”" in answer
    assert "No organization signs in here" in page(way_in().start(f"somebody@{domain}"))
    name_server.records[name] = text + "0"
    assert "There is no TXT record" in presses_check()[1]
    name_server.records[name] = text
    with outbound.one_of_few(domain), outbound.one_of_few(domain):  # others wait for its name server
        assert "There is no TXT record" in presses_check()[1]
    assert f"{domain} has agreed" in presses_check()[1]
    assert way_in().authorization(f"somebody@{domain}")
    assert AuditEvent.objects.filter(action="identity-provider.domain-proven").exists()


def test_it_signs_in_nobody_of_a_domain_that_has_not_agreed_whomever_it_names(northwinds, openid, way_in):
    admin, leads = "admin@acme.example", "operator@northwind.example"
    openid.knows(admin)
    before, after = way_in(), way_in()
    before.signs_in(leads, there_as=admin)
    assert before.client.get("/settings/").status_code == 200
    ProvenDomain.objects.get(domain="acme.example").delete()

    after.signs_in(leads, there_as=admin)

    assert not after.is_signed_in
    assert before.client.get("/settings/").status_code == 302, "and the session that it opened is over"


@pytest.fixture
def look_again():
    """What is done once a day: each proof by a task of its own, so that no name server keeps us from the others."""
    bell = Bell()

    def look() -> int:
        bell.flush()
        recheck_domains()
        rung = [json.loads(item)["headers"] for item in bell.redis.lrange(QUEUE, 0, -1)]
        mine = [literal_eval(each["argsrepr"]) for each in rung if each["task"] == recheck_domain.name]
        for arguments in mine:
            recheck_domain(*arguments)
        return len(mine)

    yield look
    bell.flush()


def test_a_proof_whose_record_is_gone_lapses_after_two_weeks_and_not_while_dns_is_away(
    northwinds, name_server, settings, way_in, look_again, cast, client_for
):
    proofs = ProvenDomain.objects.filter(domain="northwind.example")
    del name_server.records["_gatehouse.northwind.example"]
    assert look_again() == 2
    gone = proofs.get().missing_since
    shown = client_for(cast.owner, host=None).get(PAGE)
    told = date_format(localtime(gone + timedelta(days=14)), "DATETIME_FORMAT")
    assert page(shown).count(f"Without it the domain agrees until {told} (") == 1
    proofs.update(missing_since=timezone.now() - timedelta(days=15))
    address, settings.DNS_SERVER = settings.DNS_SERVER, "127.0.0.1:9"
    look_again()
    assert proofs.exists()
    settings.DNS_SERVER = address
    look_again()
    assert not proofs.exists()
    assert "No organization signs in here" in page(way_in().start("operator@northwind.example"))
    assert ProvenDomain.objects.get().domain == "acme.example"
    assert AuditEvent.objects.filter(action="identity-provider.domain-lapsed").count() == 1


# --- Rules ---
def test_the_services_ask_for_the_right_themselves(northwinds, cast, openid):
    for act in (
        lambda: identity.set_up(provider("northwind"), wanted(openid), client_secret="x", by=cast.auditor),
        lambda: identity.change(northwinds, wanted(openid), client_secret="", by=cast.auditor),
        lambda: identity.switch(northwinds, active=False, by=cast.rival),
        lambda: identity.switch(northwinds, active=True, by=cast.rival),
        lambda: identity.forget(northwinds, email="admin@acme.example", by=cast.rival),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_a_provider_has_one(northwinds, cast, openid):
    with pytest.raises(identity_errors.AlreadySetUp):
        identity.set_up(provider("northwind"), wanted(openid), client_secret="x", by=cast.owner)


@pytest.mark.parametrize("more", [{"issuer": "https://evil.example"}, {"client_id": "another"}])
def test_another_address_or_client_needs_the_secret_again_and_forgets_accounts_and_consents(
    northwinds, cast, openid, way_in, more
):
    openid.knows("admin@acme.example")
    way_in().signs_in("admin@acme.example")
    with pytest.raises(identity_errors.SecretNeeded):
        identity.change(northwinds, wanted(openid, **more), client_secret="", by=cast.owner)
    assert SocialAccount.objects.exists() and customer("acme").identity_provider_consent
    identity.change(northwinds, wanted(openid, **more), client_secret="x", by=cast.owner)
    assert not SocialAccount.objects.exists()
    assert not customer("acme").identity_provider_consent
    told = AuditEvent.objects.filter(action="identity-provider.consent-withdrawn")
    assert customer("acme").pk in told.values_list("customer_id", flat=True)


def test_a_change_says_in_the_trail_what_holds_now(northwinds, cast, openid):
    identity.change(northwinds, wanted(openid, "acme.example"), client_secret="", by=cast.owner)
    event = AuditEvent.objects.filter(action="identity-provider.changed", customer_id=None).get()
    assert event.data["email_domains"] == ["acme.example"]
    assert event.data["client_secret_changed"] is False


def test_saving_what_is_saved_says_nothing(northwinds, cast):
    saved = identity.configuration_of(northwinds, by=cast.owner)
    identity.change(northwinds, saved, client_secret="", by=cast.owner)
    assert not AuditEvent.objects.filter(action="identity-provider.changed").exists()


@pytest.mark.parametrize(
    "domain", ["", "northwind", "north wind.example", "*.example", "x\x00.example", "-.example"]
)
def test_what_is_no_domain_is_refused(cast, openid, playground, domain):
    with pytest.raises(identity_errors.InvalidDomain):
        identity.set_up(provider("northwind"), wanted(openid, domain), client_secret="x", by=cast.owner)


@pytest.mark.parametrize(
    "domain", ["microsoft.example", "fabrikam.example", "gatehouse.example", "thwind.example"]
)
def test_a_domain_needs_somebody_of_ours_there(cast, openid, playground, domain):
    with pytest.raises(identity_errors.NobodyThere):
        identity.set_up(provider("northwind"), wanted(openid, domain), client_secret="x", by=cast.owner)


def test_who_works_for_two_proves_no_domain(cast, openid, playground):
    add_membership(cast.owner, provider=provider("fabrikam"), role="auditor", by=SYSTEM)
    with pytest.raises(identity_errors.NobodyThere):
        identity.set_up(
            provider("fabrikam"), wanted(openid, "northwind.example"), client_secret="x", by=cast.rival
        )


def test_a_domain_belongs_to_one_provider_while_it_is_switched_on(northwinds, cast, openid):
    theirs, _ = create_person("temp@northwind.example", by=SYSTEM)
    add_membership(theirs, provider=provider("fabrikam"), role="operator", by=SYSTEM)
    claim = wanted(openid, "northwind.example")
    with pytest.raises(identity_errors.DomainTaken):
        identity.set_up(provider("fabrikam"), claim, client_secret="x", by=cast.rival)
    identity.switch(northwinds, active=False, by=cast.owner)
    identity.set_up(provider("fabrikam"), claim, client_secret="x", by=cast.rival)
    with pytest.raises(identity_errors.DomainTaken):
        identity.switch(northwinds, active=True, by=cast.owner)


def test_it_can_be_switched_off_when_its_domains_are_no_longer_proved(northwinds, cast):
    cast.admin.memberships.all().delete()
    cast.viewer.memberships.all().delete()
    identity.switch(northwinds, active=False, by=cast.owner)
    northwinds.refresh_from_db()
    assert not northwinds.active


# --- Entra ID's way of saying things, by the same process ---
@pytest.fixture
def entra(northwinds, openid):
    northwinds.app.settings["tenant"] = TENANT
    northwinds.app.save()
    return northwinds


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"tid": TENANT}, ""),
        ({"tid": TENANT, "xms_edov": True, "amr": ["mfa"]}, ""),
        ({"tid": TENANT, "xms_edov": False}, "has not confirmed"),
        ({"tid": TENANT, "xms_edov": "0"}, "has not confirmed"),
        ({"tid": TENANT, "email_verified": False}, "has not confirmed"),
        ({"tid": TENANT, "idp": "https://sts.windows.net/another/"}, "has not confirmed"),
        ({"tid": TENANT.replace("9", "8")}, "does not work at present"),
        ({}, "does not work at present"),
    ],
    ids=lambda value: json.dumps(value)[:70] if isinstance(value, dict) else "",
)
def test_a_directory_speaks_for_its_own_members_and_not_for_guests(entra, openid, way_in, claims, words):
    without = [] if "email_verified" in claims else ["email_verified"]
    openid.knows("operator@northwind.example", id_token=claims, id_token_without=without)
    visitor = way_in()
    answer = visitor.signs_in("operator@northwind.example")
    assert visitor.is_signed_in is (not words)
    assert words in page(answer)


# --- Going out ---
CONNECTED: list[Any] = []


def note_connections(event: str, args: Any) -> None:
    if event == "socket.connect":
        CONNECTED.append(args)


@pytest.fixture(scope="module")
def watched():
    sys.addaudithook(note_connections)  # for as long as the process lives


@pytest.fixture
def connected(watched):
    """Whereto somebody connects while the test runs."""
    CONNECTED.clear()
    return CONNECTED


class Configuration(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += 1
        time.sleep(self.server.slowness)  # what a slow service is; nobody waits for a guess
        issuer = f"https://localhost:{self.server.server_address[1]}"
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        body = json.dumps({"issuer": issuer} | dict.fromkeys(names, issuer) | self.server.more).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format, *args):
        """Nothing to tell."""


@pytest.fixture
def secured(settings, tmp_path):
    """A service by HTTPS in a private network."""
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    settings.IDENTITY_PROVIDER_CA_FILE = str(tmp_path / "ca.pem")
    settings.IDENTITY_PROVIDER_NETWORKS = ["127.0.0.0/8", "::1/128"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Configuration)
    server.more, server.asked, server.slowness = {}, 0, 0
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.issuer = f"https://localhost:{server.server_address[1]}"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_outside_the_demo_it_goes_by_https(secured, openid):
    assert discover(secured.issuer)["issuer"] == secured.issuer
    with pytest.raises(openid_errors.NotEncrypted):
        discover(openid.issuer)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "100.64.0.1",
        "169.254.169.254",
        "[::1]",
        "[fd00::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::]",
        "[ff02::1]",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
def test_what_is_not_public_is_not_even_connected_to_and_each_failure_reads_alike(host, connected):
    with pytest.raises(openid_errors.PrivateNetwork) as refused:
        discover(f"https://{host}:9")
    assert connected == []
    told = refused.value.message.replace(host.strip("[]"), "x")
    assert (
        told == openid_errors.Unreachable(host="x").message == openid_errors.AnswersTooMuch(host="x").message
    )


def test_private_networks_are_entered_only_where_the_platform_says_so(secured, settings):
    settings.IDENTITY_PROVIDER_NETWORKS = ["10.0.0.0/8"]
    with pytest.raises(openid_errors.PrivateNetwork):
        discover(secured.issuer)


def test_a_certificate_that_nobody_vouches_for_is_refused(secured, settings):
    settings.IDENTITY_PROVIDER_CA_FILE = ""
    with pytest.raises(openid_errors.Unreachable):
        discover(secured.issuer)


@pytest.mark.parametrize(
    "url", [7, None, "", "javascript:alert(1)", "http://localhost/", "//localhost/", "https://x/\n"]
)
@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_every_address_that_the_service_names_is_held_to_the_same(secured, name, url):
    secured.more = {name: url}
    with pytest.raises((openid_errors.Incomplete, openid_errors.NotEncrypted)):
        discover(secured.issuer)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY"])
def test_no_proxy_of_the_environment_is_asked(secured, monkeypatch, variable):
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert discover(secured.issuer)["issuer"] == secured.issuer


def test_a_name_that_is_none_breaks_no_page(typed, cast, client_for):
    issuer = f"http://{'x' * 70}.localhost"
    answer = client_for(cast.owner, host=None).post(PAGE, typed | {"issuer": issuer, "check": "1"})
    assert "does not answer" in page(answer)


def test_whoever_begins_a_sign_in_makes_us_ask_once_in_some_minutes(secured, northwinds, way_in, typed):
    northwinds.app.settings["server_url"] = secured.issuer
    northwinds.app.save()
    for _ in range(3):
        assert way_in().authorization("operator@northwind.example").startswith(secured.issuer)
    assert secured.asked == 1


def test_who_did_not_answer_is_left_alone_for_some_seconds(
    secured, northwinds, way_in, typed, cast, client_for
):
    secured.more = {"jwks_uri": None}
    northwinds.app.settings["server_url"] = secured.issuer
    northwinds.app.save()
    for _ in range(3):
        assert "does not work at present" in page(way_in().start("operator@northwind.example"))
    assert secured.asked == 1
    client_for(cast.owner, host=None).post(PAGE, typed | {"issuer": secured.issuer, "check": "1"})
    assert secured.asked == 2


def test_questions_of_one_sign_in_share_the_time_of_one(secured, connected):
    with outbound.Deadline(60), outbound.Deadline(0):
        connected.clear()
        with pytest.raises(openid_errors.AnswersTooMuch):
            discover(secured.issuer)
        assert connected == []


def test_who_comes_back_waits_for_no_more_than_one_answers_time(
    secured, northwinds, way_in, monkeypatch, caplog
):
    northwinds.app.settings["server_url"] = secured.issuer
    northwinds.app.save()
    secured.more = {"access_token": "x", "id_token": "x"}
    visitor = way_in()
    state = parse_qs(urlsplit(visitor.authorization("operator@northwind.example")).query)["state"][0]
    monkeypatch.setattr(outbound, "WHOLE_SECONDS", 1)
    secured.slowness = 0.7  # for the token, and again for the keys
    visitor.client.get(callback("northwind"), {"code": "x", "state": state})
    assert "answers-too-much" in caplog.text


def test_who_waits_for_a_service_before_anybody_comes_back_takes_few_threads(
    secured, northwinds, way_in, typed, cast, client_for
):
    """Anybody may begin a sign-in, and an owner press *Check*: the service decides how long that takes."""
    northwinds.app.settings["server_url"] = secured.issuer
    northwinds.app.save()
    owner, form = client_for(cast.owner, host=None), typed | {"issuer": secured.issuer, "check": "1"}

    def nobody_is_asked():
        assert "does not work at present" in page(way_in().start("operator@northwind.example"))
        assert "does not answer in time" in page(owner.post(PAGE, form))

    with outbound.one_of_few(secured.issuer), outbound.one_of_few(secured.issuer):
        nobody_is_asked()
    with outbound.one_of_few("a"), outbound.one_of_few("b"), outbound.one_of_few("c"):
        nobody_is_asked()
    assert secured.asked == 0
    assert "does not work at present" not in page(way_in().start("operator@northwind.example"))
    assert secured.asked == 1


def test_who_is_one_too_many_is_led_to_where_the_service_was_last(secured, northwinds, way_in, monkeypatch):
    """A whole office signs in at nine, when nobody has asked the service for a while."""
    northwinds.app.settings["server_url"] = secured.issuer
    northwinds.app.save()
    monkeypatch.setattr(openid, "CONFIGURATION_SECONDS", 0)
    way_in().authorization("operator@northwind.example")
    with outbound.one_of_few(secured.issuer), outbound.one_of_few(secured.issuer):
        assert way_in().authorization("operator@northwind.example").startswith(secured.issuer)
    assert secured.asked == 1


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_address_longer_than_any_is_not_taken_to_pieces(secured, name):
    """Of letters with marks that took the square of its length, while all threads waited."""
    secured.more = {name: "https://a" + "\u0301\u0316" * 40_000}
    with pytest.raises(openid_errors.NotEncrypted) as refused:
        discover(secured.issuer)
    assert len(refused.value.message) < 300


def test_check_asks_each_time(secured, typed, cast, client_for):
    for _ in range(2):
        client_for(cast.owner, host=None).post(PAGE, typed | {"issuer": secured.issuer, "check": "1"})
    assert secured.asked == 2


# --- Slow services ---
@pytest.fixture
def hurried(monkeypatch, playground):
    """So that nobody waits for long here either."""
    monkeypatch.setattr(outbound, "WHOLE_SECONDS", 1)


@pytest.fixture
def dripping(hurried):
    """A service that sends what it is told to, and then an octet at a time, as long as somebody listens."""
    threads = []

    def drip(peer, begin):
        with peer, suppress(OSError):
            peer.sendall(begin)
            while not over.wait(0.05):
                peer.sendall(b"x")

    def serve(begin):
        def accept():
            with suppress(OSError):
                drip(listener.accept()[0], begin)

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return listener.getsockname()[1]

    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield serve
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("scheme", "begin"),
    [
        ("http", b""),
        ("http", b"HTTP/1.1 200 OK\r\nX-Slow: "),
        ("http", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        ("https", b"\x16\x03\x03\x40\x00"),  # the beginning of a long TLS record
    ],
    ids=["status", "header", "text", "text of some length", "handshake"],
)
def test_who_answers_in_drops_is_not_waited_for(dripping, scheme, begin):
    address = f"{scheme}://127.0.0.1:{dripping(begin)}"
    began = time.monotonic()
    with pytest.raises(openid_errors.AnswersTooMuch):
        discover(address)
    assert time.monotonic() - began < 2.5


def test_who_leads_elsewhere_is_not_read_to_the_end(dripping):
    port = dripping(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n")
    with pytest.raises(openid_errors.LeadsElsewhere):
        discover(f"http://127.0.0.1:{port}")


def test_who_takes_no_connection_is_not_waited_for_longer(hurried):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        callers = [
            socket.socket() for _ in range(3)
        ]  # more than wait in front of it: the next gets no answer
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(listener.getsockname())
        began = time.monotonic()
        with pytest.raises(openid_errors.AnswersTooMuch):
            discover(f"http://127.0.0.1:{listener.getsockname()[1]}")
        assert time.monotonic() - began < 2.5
        for caller in callers:
            caller.close()
