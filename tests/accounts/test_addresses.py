"""One spelling, one person, wherever an address is typed."""

from contextlib import suppress
from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.actors import SYSTEM
from accounts.errors import InvalidAddress, PersonExists
from accounts.models import User
from accounts.services import create_person, mail_reset_link
from tenants import services
from tenants.errors import AlreadyInvited
from tenants.models import Invitation
from tests.accounts.factors import LOGIN, is_signed_in
from tests.cast import PASSWORD
from tests.console.administration.forms import submit
from tests.pages import presses, read, text_of

SAME = [
    [
        "user@b\u00fccher.example",
        "user@xn--bcher-kva.example",
        "user@B\u00dcCHER.example",
        "user@bu\u0308cher.example",
    ],
    [
        "user@acme.example",
        "user@acme.example\u200b",
        "\ufeffuser@acme.example",
        " us\u00ader@Acme.example\u2060 ",
    ],
    ["user+tag@acme.example", "USER+TAG@acme.example"],
]
DIFFERENT = [
    ["i@acme.example", "\u0131@acme.example"],
    ["user+tag@acme.example", "user@acme.example"],
    ["k@acme.example", "\u212a@acme.example"],
    ["s@acme.example", "\u017f@acme.example"],
    ["k@kiosk.example", "k@\u212aiosk.example"],
    ["a@acme.example", "\uff41@acme.example"],
    ["a@xn--n3h.example", "a@\u2603.example"],
    ["a@acme.example", "=?utf-8?q?a?=@acme.example"],
]
# Mail to them would go nowhere, or to another spelling.
NONE = [
    "a@" + "\u00fc" * 60 + ".example",
    "a@\u2603.example",
    "=?utf-8?q?a?=@acme.example",
    '"a"@acme.example',
]


@pytest.mark.parametrize("spellings", SAME)
def test_each_spelling_is_the_same_person_at_every_door(cast, client_for, acme, mailoutbox, spellings):
    person, _none = create_person(spellings[0], password=PASSWORD, by=SYSTEM)
    for spelling in spellings:
        client = client_for(host=None)
        client.post(LOGIN, {"login": spelling, "password": PASSWORD})
        assert client.session["_auth_user_id"] == str(person.pk), ascii(spelling)
        with pytest.raises(PersonExists):
            create_person(spelling, by=SYSTEM)
        mailoutbox.clear()
        mail_reset_link(spelling)
        assert [mail.to for mail in mailoutbox] == [[person.email]], ascii(spelling)
        call_command("let_in", spelling, "--json")


@pytest.mark.parametrize("spellings", SAME)
def test_who_is_invited_is_invited_in_each_spelling(cast, acme, mailoutbox, spellings):
    first = services.invite(acme, spellings[-1], role="viewer", by=cast.admin)
    for spelling in spellings:
        with pytest.raises(AlreadyInvited):
            services.invite(acme, spelling, role="viewer", by=cast.admin)
    assert Invitation.objects.get(email=spellings[0]).pk == first.pk
    assert [mail.to for mail in mailoutbox] == [[first.email]]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_what_only_looks_alike_is_somebody_else(cast, client_for, mailoutbox, one, other):
    create_person(one, password=PASSWORD, by=SYSTEM)
    client = client_for(host=None)
    client.post(LOGIN, {"login": other, "password": PASSWORD})
    assert not is_signed_in(client)
    mail_reset_link(other)
    assert mailoutbox == []
    with suppress(InvalidAddress):  # or nobody can have it
        assert create_person(other, by=SYSTEM)[0].email != one


@pytest.mark.parametrize("address", NONE)
def test_what_is_no_address_to_mail_is_refused_at_every_door(cast, acme, client_for, mailoutbox, address):
    answer = presses(client_for(cast.admin).get("/people/invite/"), "Send the invitation", email=address)
    assert answer.status_code == 200 and "valid email address" in text_of(read(answer))
    with pytest.raises(InvalidAddress):
        create_person(address, by=SYSTEM)
    with pytest.raises(CommandError, match="valid email address"):
        call_command("createsuperuser", interactive=False, email=address)
    changed = submit(
        client_for(cast.staff, host=None),
        f"/admin/accounts/user/{cast.viewer.pk}/change/",
        email=address,
    )
    assert "email" in changed.context["adminform"].form.errors
    assert not Invitation.objects.exists() and not User.objects.filter(email=address).exists()
    assert mailoutbox == []


@pytest.mark.parametrize("address", NONE)
def test_who_has_one_from_an_earlier_release_still_gets_in_and_has_it_kept(cast, client_for, post, address):
    User.objects.filter(pk=cast.viewer.pk).update(email=address)
    client = client_for()
    page = client.get(LOGIN)
    assert presses(page, "Sign in", login=address, password=PASSWORD)["Location"] and is_signed_in(client)
    with post.of() as mails:
        forgotten = client_for().get("/accounts/password/reset/")
        presses(forgotten, "Send the link", email=address)
    assert [mail.to for mail in mails] == ([] if "\u00fc" in address else [[address]])
    submit(client_for(cast.staff, host=None), f"/admin/accounts/user/{cast.viewer.pk}/change/", name="Ada")
    assert User.objects.get(pk=cast.viewer.pk).name == "Ada"


def test_an_invitation_whose_mail_can_not_be_made_stands_and_the_page_says_so(cast, acme, client_for, caplog):
    """An earlier release took the address."""
    invitation = services.invite(acme, "somebody@acme.example", role="viewer", by=cast.admin)
    early = invitation.expires_at - timedelta(minutes=2)
    Invitation.objects.update(email=NONE[0], expires_at=early)
    client = client_for(cast.admin)
    presses(client.get("/people/"), "Send again", beside="a@")
    assert "its email could not be sent" in text_of(read(client.get("/people/")))
    assert Invitation.objects.get().withdrawn_at is None
    assert "The mail of an invitation could not be made" in caplog.text


def test_people_of_an_earlier_release_get_the_one_spelling_unless_somebody_has_it(cast, caplog):
    def kept_as_typed(address):
        person = User.objects.create(email=f"{len(address)}@acme.example")
        with connection.cursor() as cursor:
            cursor.execute("UPDATE accounts_user SET email = %s WHERE id = %s", [address, person.pk])
        return person

    alone, twin = kept_as_typed("lena@b\u00fccher.example"), kept_as_typed("admin@acme.example\u200b")
    import_module("accounts.migrations.0007_one_spelling_of_addresses").respell(apps, None)
    emails = dict(User.objects.values_list("pk", "email"))
    assert emails[alone.pk] == "lena@xn--bcher-kva.example"
    assert emails[twin.pk] == "admin@acme.example\u200b"
    assert emails[cast.admin.pk] == "admin@acme.example"
    assert f"person {twin.pk} keeps" in caplog.text
