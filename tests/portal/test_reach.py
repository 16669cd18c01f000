"""A test of the way to a mailbox, pressed on its page, made by a worker, told step by step; against a real name server and
gateway.
"""

from types import SimpleNamespace

import pytest
import trustme
from django_tenants.utils import tenant_context

from mailboxes.models import Mailbox
from mailboxes.services import reach as asking
from portal.doctor import reach
from portal.doctor.tasks import make_reach_test
from tests.accounts.openid.names import NameServer
from tests.gateway.kit import gateway_running
from tests.pages import presses, read

MAIL = "gateway.localhost"


@pytest.fixture
def names(settings, monkeypatch):
    server = NameServer()
    settings.DNS_SERVER = server.address
    monkeypatch.setattr(reach, "LOCAL", ".nowhere")  # so that the tests' domain is asked for as any other
    server.zone = {(MAIL, "A"): ["127.0.0.1"], (MAIL, "MX"): [f"10 {MAIL}."]}
    yield server
    server.stop()


@pytest.fixture
def gateway(committed_db, settings, tmp_path, monkeypatch):
    authority = trustme.CA()
    leaf, files = (
        authority.issue_cert(MAIL),
        (tmp_path / "cert.pem", tmp_path / "key.pem", tmp_path / "ca.pem"),
    )
    leaf.cert_chain_pems[0].write_to_path(str(files[0]))
    leaf.private_key_pem.write_to_path(str(files[1]))
    authority.cert_pem.write_to_path(str(files[2]))
    monkeypatch.setenv("SSL_CERT_FILE", str(files[2]))  # in the place of the public authorities
    with gateway_running(
        SimpleNamespace(cert_file=files[0], key_file=files[1], client_context=None)
    ) as clients:
        settings.PUBLIC_SMTP_PORT = clients.ports.smtp
        yield clients


@pytest.fixture
def person(gateway, cast, client_for, acme, acme_mailbox):
    """Who presses the button; workers make what is asked for."""

    browser = client_for(cast.admin)

    class Person:
        url = f"/mailboxes/{acme_mailbox.mailbox.pk}/deliveries/"

        def presses(self, **ticked):
            presses(browser.get(self.url), "Test the way", **ticked)
            asked = self.asked()
            if "taken" not in asked:
                make_reach_test(acme.schema_name, str(acme_mailbox.mailbox.pk), asked["number"])

        def asked(self):
            with tenant_context(acme):
                return Mailbox.objects.get(pk=acme_mailbox.mailbox.pk).reach_test

        def sees(self):
            return browser.get(self.url).content.decode()

        def reads(self):
            page = read(browser.get(self.url))
            return [" ".join(step.text_content().split()) for step in page.xpath("//*[@id='reach']//li")]

    return Person()


def codes(person):
    return [(found["step"], found["code"], found["ok"]) for found in person.asked()["findings"]]


def test_who_presses_the_button_reads_what_a_sender_would_meet(names, person, collect, acme_mailbox):
    person.presses()
    name, port, certificate, reply = person.reads()
    assert name == "DNS leads to the gateway: gateway.localhost is 127.0.0.1."
    assert port.startswith("The gateway answers at 127.0.0.1, port ")
    assert certificate.startswith("The certificate is trusted. It ends on ")
    assert reply == "The gateway takes mail for this mailbox. 250 2.1.5"
    assert collect(acme_mailbox.password) == []  # it stopped before the text


def test_a_message_is_sent_only_if_the_person_says_so_and_once(names, person, collect, acme, acme_mailbox):
    person.presses(with_message=True)
    assert person.reads()[-1].startswith("The test message is kept.")
    make_reach_test(
        acme.schema_name, str(acme_mailbox.mailbox.pk), person.asked()["number"]
    )  # as a bell that rings twice
    (message,) = collect(acme_mailbox.password)
    assert b"Subject: Test message of Gatehouse" in message


def test_each_fault_on_the_way_is_named(names, person, settings, monkeypatch, acme):
    monkeypatch.setattr(asking, "AGAIN", asking.timedelta(0))

    def found():
        person.presses()
        return codes(person)

    monkeypatch.delenv("SSL_CERT_FILE")
    assert ("certificate", "untrusted", None) in found()
    acme.allowed_networks = ["192.0.2.0/24"]
    acme.save()
    assert found()[-1] == ("reply", "refused", False)
    assert "This installation's own address is not among the networks" in person.reads()[-1]
    names.zone[MAIL, "MX"] = ["10 mail.elsewhere.test."]
    assert found()[0] == ("name", "elsewhere", False)
    settings.PUBLIC_SMTP_PORT = 1
    assert found()[-1] == ("port", "silent", False)
    names.zone.clear()
    assert found() == [("name", "no-address", False)]
    settings.MAIL_DOMAIN = "other.test"
    assert found() == [("name", "other-domain", False)]


def test_nobody_is_led_elsewhere_by_an_address_or_a_record(names, gateway, settings, monkeypatch):
    asked = []
    monkeypatch.setattr(reach, "served_at", lambda connect, place, *_more: asked.append(place) or 1 / 0)
    names.zone = {(MAIL, "MX"): ["10 inner.test."], ("inner.test", "A"): ["127.0.0.9"]}
    for address in ("mbx-1@inner.test", f"mbx-1@{MAIL}"):
        assert not any(found["ok"] for found in reach.look(address, with_message=False))
    assert asked == []


def test_it_is_made_as_often_as_somebody_needs_it_and_no_oftener(names, person, monkeypatch):
    person.presses()
    before = person.asked()
    person.presses()
    assert person.asked() == before
    assert "was tested a moment ago" in person.sees()
    monkeypatch.setattr(asking, "AGAIN", asking.timedelta(0))
    monkeypatch.setattr(asking, "TURNS", 1)  # which this person has had by now
    person.presses()
    assert person.asked() == before


def test_who_may_not_edit_is_offered_no_test_and_makes_none(cast, client_for, acme_mailbox, db):
    url = f"/mailboxes/{acme_mailbox.mailbox.pk}/deliveries/"
    viewer = client_for(cast.viewer)
    assert "Test the way" not in viewer.get(url).content.decode()
    assert viewer.post(url).status_code == 403
