"""A customer whose schema was dropped past Gatehouse: somebody says that it won't come back in its place."""

import io
import json
import sys

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django_tenants.utils import schema_exists

from accounts.actors import SYSTEM
from mailboxes import services as mailbox_services
from tenants import errors, services
from tenants.models import AuditEvent, Customer, DirectoryEntry, Domain, Invitation, Membership
from tenants.services import create_customer, invite
from tests.cast import customer, provider
from tests.pages import read, text_of


@pytest.fixture
def gives_up(monkeypatch):
    warned = io.StringIO()

    def command(slug="acme", typed=None):
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{typed or slug}\n"))
        said = io.StringIO()
        call_command("give_up_customer", slug, json=True, stdout=said, stderr=warned)
        return json.loads(said.getvalue())

    command.warned = warned.getvalue
    return command


@pytest.fixture
def lost(acme, acme_mailbox, cast):
    invite(acme, "late@acme.example", role="viewer", by=cast.admin)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("DROP SCHEMA c_acme CASCADE")
    return acme


def left_of(pk):
    places = (
        Domain.objects.filter(tenant=pk),
        *(kind.objects.filter(customer=pk) for kind in (DirectoryEntry, Invitation, Membership)),
    )
    return [place.count() for place in places]


def test_what_is_left_of_it_goes_and_the_trail_says_so(lost, gives_up, cast, client_for):
    roles = lost.memberships.count()
    assert gives_up() == {"customer": "acme", "folder": lost.pk.hex, "mailboxes": 1, "people": roles}
    assert not Customer.objects.filter(slug="acme").exists()
    assert left_of(lost.pk) == [0, 0, 0, 0]
    trail = AuditEvent.objects.filter(customer_id=lost.pk)
    assert trail.of("membership.removed").count() == roles
    (line,) = trail.of("customer.given-up")
    assert (line.target_name, line.data) == ("Acme", {"mailboxes": 1})
    page = text_of(read(client_for(cast.owner, host=None).get("/activity/")))
    assert "The customer “Acme”, whose data was lost, was given up for good." in page


def test_its_short_name_is_free_again(lost, gives_up):
    gives_up()
    made = create_customer("acme", "Acme", provider=provider("northwind"), by=SYSTEM)
    mailbox_services.create_mailbox(made, name="Journal", by=SYSTEM)


def test_while_its_schema_is_there_it_is_refused(acme, acme_mailbox, gives_up):
    before = left_of(acme.pk)
    with pytest.raises(CommandError, match="Only a customer whose schema is gone can be given up"):
        gives_up()
    assert gives_up.warned() == "", "refused before anything is asked"
    with pytest.raises(errors.SchemaIsThere):
        services.give_up_customer(acme, by=SYSTEM)
    assert left_of(acme.pk) == before
    assert customer("acme") == acme


def test_an_empty_schema_in_its_place_goes_with_it_and_one_in_which_anything_is_does_not(lost, gives_up):
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA c_acme; CREATE TYPE c_acme.kept AS (v text)")
        with pytest.raises(
            CommandError,
            match="“acme” is one that is none of a customer's, and that is not dropped: cannot drop",
        ):
            gives_up()
        assert customer("acme") == lost
        cursor.execute("DROP TYPE c_acme.kept")
    gives_up()
    assert not schema_exists("c_acme") and not Customer.objects.filter(slug="acme").exists()


def test_what_stands_in_its_place_is_named_and_can_be_renamed(lost, gives_up):
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA c_acme; CREATE TABLE c_acme.notes ()")
        with pytest.raises(
            CommandError,
            match=r"table c_acme\.notes depends on schema c_acme\. .*ALTER SCHEMA c_acme RENAME TO",
        ):
            gives_up()
        cursor.execute("ALTER SCHEMA c_acme RENAME TO kept")
    gives_up()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('kept.notes') IS NOT NULL")
        assert cursor.fetchone() == (True,)


def test_nothing_is_done_unless_the_short_name_is_typed_once_more(lost, gives_up):
    before = left_of(lost.pk)
    for typed in ("yes", "globex", " "):
        with pytest.raises(CommandError, match="Nothing was done"):
            gives_up(typed=typed)
    assert "is refused for good (550)" in gives_up.warned(), "said before anything is typed"
    assert left_of(lost.pk) == before


def test_it_is_given_up_once(lost, gives_up):
    gives_up()
    with pytest.raises(errors.NoSuchCustomer):
        services.give_up_customer(lost, by=SYSTEM)
