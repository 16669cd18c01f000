"""An identity provider speaks for the domains that agree to it by a record in DNS, for as long as they do."""

import json
import re
from ast import literal_eval
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime

from accounts.openid import outbound
from tenants import identity
from tenants.errors import NotAllowed
from tenants.identity import domains
from tenants.models import AuditEvent, Membership, ProvenDomain
from tenants.tasks import recheck_domain, recheck_domains
from tests.accounts.openid.kit import PAGE
from tests.breaking.workers import QUEUE, Bell
from tests.pages import read
from tests.tenants.kit import at_once, text

pytest_plugins = ["tests.accounts.openid.portal"]


def test_nobody_is_led_to_it_before_the_domain_has_agreed_by_dns(
    typed, proves, name_server, cast, client_for, way_in
):
    owner, domain = client_for(cast.owner, host=None), "northwind.example"
    owner.post(PAGE, typed)

    def presses_check():
        page = owner.get(PAGE)
        shown = page.content.decode()
        form = re.search(r'<form method="post" action="([^"]+/prove/[^"]*)"', shown)
        return read(page), text(owner.post(form[1], {"domain": domain}, follow=True))

    shown, answer = presses_check()
    assert "No domain agrees yet" in shown.text_content()
    name, record = (code.text_content() for code in shown.xpath("//code[starts-with(@id, 'record-')]")[:2])
    assert f"There is no TXT record with that text at “{name}”" in answer
    assert "No organization signs in here" in text(way_in().start(f"somebody@{domain}"))
    name_server.records[name] = record + "0"
    assert "There is no TXT record" in presses_check()[1]
    name_server.records[name] = record
    with outbound.one_of_few(domain), outbound.one_of_few(domain):  # others wait for its name server
        assert "There is no TXT record" in presses_check()[1]
    assert f"{domain} has agreed" in presses_check()[1]
    assert "No domain agrees yet" not in presses_check()[0].text_content()
    assert way_in().authorization(f"somebody@{domain}")
    assert AuditEvent.objects.filter(action="identity-provider.domain-proven").exists()


def test_who_loses_the_role_while_dns_answers_proves_nothing(committed_db, northwinds, name_server, cast):
    ProvenDomain.objects.all().delete()

    class Records(dict):
        def get(self, name):
            at_once(lambda: Membership.objects.filter(user=cast.owner.pk).delete())
            return super().get(name)

    records, name_server.records = name_server.records, Records(name_server.records)
    try:
        with pytest.raises(NotAllowed):
            identity.prove(northwinds, "northwind.example", by=cast.owner)
    finally:
        name_server.records = records
    assert not ProvenDomain.objects.exists()


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
    northwinds, name_server, settings, way_in, look_again, cast, client_for, monkeypatch
):
    proofs = ProvenDomain.objects.filter(domain="northwind.example")
    del name_server.records["_gatehouse.northwind.example"]
    assert look_again() == 2
    gone = proofs.get().missing_since
    shown = client_for(cast.owner, host=None).get(PAGE)
    told = date_format(localtime(gone + timedelta(days=14)), "DATETIME_FORMAT")
    assert text(shown).count(f"Without it the domain agrees until {told} (") == 1
    proofs.update(missing_since=timezone.now() - timedelta(days=15))
    address, settings.DNS_SERVER = settings.DNS_SERVER, "127.0.0.1:9"
    monkeypatch.setattr(domains, "LOOK_UP_SECONDS", 1)  # for each of two, and nobody answers
    look_again()
    assert proofs.exists()
    settings.DNS_SERVER = address
    look_again()
    assert not proofs.exists()
    assert "No organization signs in here" in text(way_in().start("operator@northwind.example"))
    assert ProvenDomain.objects.get().domain == "acme.example"
    assert AuditEvent.objects.filter(action="identity-provider.domain-lapsed").count() == 1
