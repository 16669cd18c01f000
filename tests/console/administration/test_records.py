"""What the portal keeps itself, to look at at /admin/: no key is shown, and nothing is changed."""

import re
import uuid

import pytest

from accounts.actors import SYSTEM
from tenants import directory, services
from tenants.models import (
    DirectoryEntry,
)
from tests.console.administration.forms import last_event
from tests.pages import read, text_of

KEY = b"\xde\xad\xbe\xef" * 8


def test_the_directory_shows_no_key_and_takes_no_change(admin, acme):
    directory.publish(
        address="mbx-1@gateway.localhost",
        customer=acme,
        mailbox_id=uuid.uuid4(),
        status="active",
        public_key=KEY,
        generation=1,
    )
    entry = DirectoryEntry.objects.get()
    (listed,) = read(admin.get("/admin/tenants/directoryentry/")).xpath("//main//th//code")
    assert text_of(listed) == entry.address, "which is a code, from left to right"
    page = admin.get(f"/admin/tenants/directoryentry/{entry.pk}/change/")
    assert page.status_code == 200
    assert "mbx-1@gateway.localhost" in page.content.decode()
    assert "xde" not in page.content.decode()
    assert "public_key" not in page.content.decode()


@pytest.mark.parametrize("model", ["directoryentry", "auditevent", "domain", "spareschema"])
def test_what_the_services_write_is_to_look_at_only(admin, acme, model):
    assert admin.get(f"/admin/tenants/{model}/").status_code == 200
    assert admin.get(f"/admin/tenants/{model}/add/").status_code == 403


def test_the_trail_is_told_in_words_beside_what_was_recorded(admin, cast, acme):
    services.edit_customer(acme, name="Acme Ltd", allowed_networks=[], mailbox_quota_octets=2**30, by=SYSTEM)
    event = last_event()
    listed = text_of(read(admin.get("/admin/tenants/auditevent/")))
    assert "The settings of the customer “Acme Ltd” were changed." in listed
    assert "customer.changed" in listed
    assert "The system" in listed or "Platform staff, on the command line" in listed
    page = read(admin.get(f"/admin/tenants/auditevent/{event.pk}/change/"))
    assert text_of(page.xpath("//h1")[0]) == "The settings of the customer “Acme Ltd” were changed."
    told = [text_of(line) for line in page.xpath("//dd//li")]
    assert {"Name: Acme Ltd", "Limit for each mailbox: 1.0 GB"} <= set(told)
    assert facts_of(page)["Action"] == "customer.changed"


def facts_of(page):
    return {text_of(label): text_of(label.getnext()) for label in page.xpath("//dt")}


def test_a_page_of_the_trail_says_in_words_whom_and_what_it_speaks_of_and_when(admin, cast, acme):
    cast.staff.language, cast.staff.time_zone = "de", "Europe/Berlin"
    cast.staff.save()
    services.edit_customer(
        acme, name="Acme Ltd", allowed_networks=[], mailbox_quota_octets=None, by=cast.staff
    )
    facts = facts_of(read(admin.get(f"/admin/tenants/auditevent/{last_event().pk}/change/")))
    assert (facts["Gehörte zu"], facts["Art des Objekts"]) == ("Plattformpersonal", "Kunde")
    assert re.search(r"\d\d:\d\d (CET|MEZ|CEST|MESZ)$", facts["Zeit"])


def test_an_audit_event_can_be_read_but_not_changed(admin, acme):
    event = last_event()
    assert admin.get(f"/admin/tenants/auditevent/{event.pk}/change/").status_code == 200
    assert admin.post(f"/admin/tenants/auditevent/{event.pk}/change/", {"action": "x"}).status_code == 403
    assert admin.post(f"/admin/tenants/auditevent/{event.pk}/delete/", {"post": "yes"}).status_code == 403
