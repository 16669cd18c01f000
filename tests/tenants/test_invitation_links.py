"""Invitations: from the act to the mail, through the link, to the person's first sign-in; and every way that ends early."""

import logging
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.utils import timezone, translation

from accounts.actors import SYSTEM
from accounts.models import User
from accounts.services import create_person
from tenants import errors, services
from tenants.access import customers_of
from tenants.models import AuditEvent, Customer, Invitation
from tests.cast import PASSWORD
from tests.pages import follows
from tests.tenants.kit import path_of, text

NEW = "newcomer@northwind.example"
PHRASE = "seven long words nobody has heard"


@pytest.fixture
def invite(cast, northwind, mailoutbox):
    """Invites, and hands over the invitation and the path of the mailed link."""

    def act(email=NEW, *, place=None, role="operator", by=None, **details):
        sent = services.invite(place or northwind, email, role=role, by=by or cast.owner, **details)
        return sent, path_of(mailoutbox[-1])

    return act


@pytest.fixture
def visitor(client_for):
    return client_for(None, host=None)


def age(invitation, **delta):
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=invitation.expires_at - timedelta(**delta))


# --- The mail ---
def test_the_mail_says_who_invites_whom_where_and_until_when(cast, invite, mailoutbox):
    invitation, _ = invite()
    (message,) = mailoutbox
    assert message.to == [NEW]
    assert message.subject == "Your invitation to Gatehouse"
    words = " ".join(message.body.split())
    assert f"{cast.owner.name} ({cast.owner.email}) invites you to work for Northwind IT" in words
    assert "Your role there will be: Operator." in words
    assert f"until {invitation.expires_at:%-d %B %Y, %H:%M} (UTC)" in words
    assert "&" not in message.body


def test_the_mail_begins_with_words_of_ours_and_leads_nowhere_but_here(cast, invite, mailoutbox):
    """Earlier releases took an address in a name."""
    User.objects.filter(pk=cast.owner.pk).update(name="Your account is locked, see https://evil.example")
    cast.owner.refresh_from_db()
    invite()
    body = mailoutbox[0].body
    assert "evil" not in body
    assert f"{cast.owner.email} invites you to work for Northwind IT." in body
    assert body.index("You are invited to Gatehouse") < body.index(cast.owner.email)


def test_mail_and_page_name_the_customers_to_whom_a_role_is_limited_and_not_a_crowd_of_them(
    cast, northwind, invite, visitor, mailoutbox, acme, globex
):
    Customer.objects.filter(pk=acme.pk).update(name="Your account is locked, see https://evil.example")
    for number in range(1, 6):
        Customer.objects.create(
            slug=f"shop-{number}", name=f"Shop {number}", schema_name=f"shop_{number}", provider=northwind
        )
    shops = list(Customer.objects.filter(slug__startswith="shop-"))
    limits = (None, [acme, globex], [*shops[:4], acme, globex], [*shops, acme, globex])
    for number, limit in enumerate(limits):
        invite(f"p{number}@northwind.example", customers=limit)
    everywhere, two, six, seven = (message.body for message in mailoutbox)
    offers = [text(visitor.get(path_of(message), follow=True)) for message in mailoutbox]
    assert [offer.count("customers only:") for offer in offers] == [0, 1, 1, 1]
    assert "<li>acme</li><li>Globex</li>" in offers[1] and "evil" not in offers[1]
    assert "<li>Shop 3</li> <li> and 2 more customers </li>" in offers[3]
    assert "customers only" not in everywhere
    assert "customers only:\n\n- acme\n- Globex\n\nOpen this link" in two
    assert "- acme\n- Globex\n- Shop 1\n- Shop 2\n- Shop 3\n- and 1 more customer\n\nOpen this link" in six
    assert "- Shop 3\n- and 2 more customers\n" in seven
    assert "evil" not in two


def test_the_mail_is_in_the_readers_language_or_for_newcomers_in_the_inviters(cast, invite, mailoutbox):
    User.objects.filter(pk=cast.stranger.pk).update(language="fr")
    spoken = []
    for language, email in [("de", NEW), ("de", cast.stranger.email)]:
        with translation.override(language):
            invite(email)
        with translation.override("de" if email == NEW else "fr"):
            spoken.append(
                translation.gettext(
                    "If you don't expect this invitation, do nothing: without the link nobody gets in."
                )
            )
    for message, sentence in zip(mailoutbox, spoken, strict=True):
        assert " ".join(sentence.split()) in " ".join(message.body.split())


def test_no_host_header_gets_into_the_link(cast, client_for, mailoutbox, acme):
    client = client_for(cast.admin)
    form = {"email": "x@acme.example", "role": "viewer"}
    for host in ("acme.portal.localhost:666", "ACME.portal.localhost"):
        client.post("/people/invite/", form, headers={"host": host, "x-forwarded-host": "evil.example"})
    (message,) = mailoutbox
    assert "http://portal.localhost:8000/invitations/" in message.body


def test_the_secret_is_nowhere_but_in_the_mail(cast, invite, visitor, caplog):
    caplog.set_level(logging.DEBUG)
    _, path = invite()
    visitor.get(path)
    secret = path.split("/")[2]
    assert len(secret) >= 43  # 256 bits
    with connection.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT count(*) FROM "{table}" AS row WHERE row::text LIKE %s', [f"%{secret}%"])
            assert cursor.fetchone() == (0,), table
    assert secret not in caplog.text
    assert not any(secret in str(value) for value in visitor.session.values())


def test_a_mail_that_can_not_be_sent_leaves_an_invitation_to_send_again(
    cast, northwind, invite, settings, caplog
):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # nobody listens there
    with pytest.raises(errors.MailNotSent):
        invite()
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    invitation = Invitation.objects.get(email=NEW)
    age(invitation, minutes=2)
    services.send_invitation_again(northwind, invitation.pk, by=cast.owner)
    assert path_of(mail.outbox[-1]).split("/")[2] not in caplog.text


# --- Newcomers ---
def test_a_newcomer_opens_the_link_chooses_a_password_and_signs_in(invite, visitor, northwind, acme):
    _, path = invite(customers=[acme])
    answer = visitor.get(path)
    assert (answer.status_code, answer["Location"]) == (302, "/invitations/")
    assert answer["Referrer-Policy"] == "no-referrer"
    assert "no-store" in answer["Cache-Control"]
    page = visitor.get("/invitations/")
    assert "Invitation to Northwind IT" in text(page)
    assert f"Owner (operator@northwind.example) has invited {NEW}." in text(page)
    assert b'data-show="#id_password"' in page.content, "who types it once can look at it"
    answer = visitor.post("/invitations/", {"name": "Nora New", "password": PHRASE})
    assert answer["Location"] == "/accounts/login/"
    assert "Your account is ready" in text(visitor.get("/accounts/login/"))
    user = User.objects.get(email=NEW)
    membership = user.memberships.get()
    assert (user.name, membership.provider, membership.role) == ("Nora New", northwind, "operator")
    assert list(membership.customers.all()) == [acme]
    visitor.post("/accounts/login/", {"login": NEW, "password": PHRASE})
    assert "Acme" in text(visitor.get("/customers/"))
    actions = AuditEvent.objects.filter(actor_email=NEW).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["person.created", "membership.added", "invitation.accepted"]


def test_the_link_works_once(invite, visitor, client_for):
    _, path = invite()
    visitor.get(path)
    form = {"name": "Nora", "password": PHRASE}
    assert visitor.post("/invitations/", form).status_code == 302
    again = visitor.post("/invitations/", form)  # a second click
    assert (again.status_code, "has been used already" in text(again)) == (410, True)
    other = client_for(None, host=None)
    other.get(path)
    assert "has been used already" in text(other.get("/invitations/"))
    assert User.objects.filter(email=NEW).count() == 1


def test_a_newcomers_name_has_no_paragraphs_of_its_own(invite, visitor):
    _, path = invite()
    visitor.get(path)
    answer = visitor.post("/invitations/", {"name": "N\n\nPay at once\n\nX", "password": PHRASE})
    assert "line breaks" in answer.context["form"].errors["name"][0]
    assert not User.objects.filter(email=NEW).exists()


@pytest.mark.parametrize("password", ["short", "password1234", NEW, ""])
def test_weak_passwords_are_refused_beside_their_field(invite, visitor, password):
    _, path = invite()
    visitor.get(path)
    answer = visitor.post("/invitations/", {"name": "Nora", "password": password})
    assert answer.status_code == 200
    assert answer.context["form"].errors["password"]
    assert not User.objects.filter(email=NEW).exists()


def test_a_newcomers_address_is_the_invited_one_whatever_the_form_says(invite, visitor):
    _, path = invite()
    visitor.get(path)
    visitor.post(
        "/invitations/", {"name": "N", "password": PHRASE, "email": "boss@northwind.example", "role": "owner"}
    )
    assert not User.objects.filter(email="boss@northwind.example").exists()
    assert User.objects.get(email=NEW).memberships.get().role == "operator"


# --- People who have an account ---
def test_who_has_an_account_signs_in_first_and_then_accepts(cast, invite, visitor, acme):
    _, path = invite(cast.stranger.email, place=acme, role="viewer", by=cast.admin)
    visitor.get(path)
    page = visitor.get("/invitations/")
    assert "/accounts/login/?next=/invitations/" in text(page)
    assert visitor.post("/invitations/", {"name": "X", "password": PHRASE}).status_code == 200
    assert not cast.stranger.memberships.exists()
    answer = visitor.post(
        "/accounts/login/", {"login": cast.stranger.email, "password": PASSWORD, "next": "/invitations/"}
    )
    assert answer["Location"] == "/invitations/"
    assert "Accept the invitation" in text(visitor.get("/invitations/"))
    assert not cast.stranger.memberships.exists()  # looking accepts nothing
    assert visitor.post("/invitations/")["Location"] == "/"
    membership = cast.stranger.memberships.get()
    assert (membership.customer, membership.role) == (acme, "viewer")
    cast.stranger.refresh_from_db()
    assert cast.stranger.check_password(PASSWORD)


@pytest.mark.parametrize("email", [NEW, "stranger@nowhere.example"])
def test_who_is_signed_in_as_somebody_else_can_not_accept(cast, invite, client_for, email):
    _, path = invite(email)
    mallory = client_for(cast.mallory, host=None)
    mallory.get(path)
    for answer in (
        mallory.get("/invitations/"),
        mallory.post("/invitations/", {"name": "M", "password": PHRASE}),
    ):
        assert "for another person" in text(answer)
    assert cast.mallory.memberships.count() == 1
    assert not User.objects.filter(email=NEW).exists()


def test_the_service_refuses_somebody_else_too(cast, invite):
    invitation, _ = invite()
    with pytest.raises(errors.ForSomebodyElse):
        services.accept_invitation(invitation, by=cast.mallory)


def test_who_got_a_role_meanwhile_is_told(cast, invite, client_for, northwind):
    _, path = invite(cast.stranger.email)
    services.add_membership(cast.stranger, provider=northwind, role="auditor", by=SYSTEM)
    client = client_for(cast.stranger, host=None)
    client.get(path)
    assert "already has a role there" in text(client.post("/invitations/"))
    assert cast.stranger.memberships.get().role == "auditor"


def test_who_got_an_account_meanwhile_signs_in_first(invite):
    invitation, _ = invite()
    create_person(NEW, by=SYSTEM)
    with pytest.raises(errors.SignInFirst):
        services.accept_invitation_as_newcomer(invitation, name="N", password=PHRASE)


# --- Links that lead nowhere ---
def test_links_of_the_past_say_what_became_of_them(cast, northwind, invite, visitor):
    invitation, path = invite()
    visitor.get(path)
    age(invitation, days=7)
    answer = visitor.get("/invitations/")
    assert (answer.status_code, "has expired" in text(answer)) == (410, True)
    assert visitor.post("/invitations/", {"name": "N", "password": PHRASE}).status_code == 410
    services.withdraw_invitation(northwind, invitation.pk, by=cast.owner)
    assert "has been withdrawn" in text(visitor.get("/invitations/"))
    assert not User.objects.filter(email=NEW).exists()


@pytest.mark.parametrize(
    "loses",
    [
        lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
        lambda user: user.delete(),
        lambda user: user.memberships.all().delete(),  # in the very moment in which they invite
        lambda user: user.memberships.update(role="operator"),
    ],
    ids=["the account is switched off", "the account is gone", "the role is gone", "the role allows less"],
)
@pytest.mark.parametrize("where", ["northwind", "acme"])
def test_a_link_is_worth_as_much_as_who_sent_it_may_give(invite, visitor, northwind, acme, where, loses):
    sender, _ = create_person("second.owner@northwind.example", by=SYSTEM)
    services.add_membership(sender, provider=northwind, role="owner", by=SYSTEM)
    place, role = (northwind, "owner") if where == "northwind" else (acme, "admin")
    _, path = invite(place=place, role=role, by=sender)
    visitor.get(path)
    loses(sender)
    assert "has been withdrawn" in text(visitor.get("/invitations/"))
    answer = visitor.post("/invitations/", {"name": "N", "password": PHRASE})
    assert (answer.status_code, "has been withdrawn" in text(answer)) == (410, True)
    assert not User.objects.filter(email=NEW).exists()


def test_a_colleague_who_sends_it_again_stands_for_it(cast, invite, visitor, northwind, mailoutbox):
    sender, _ = create_person("second.owner@northwind.example", by=SYSTEM)
    membership = services.add_membership(sender, provider=northwind, role="owner", by=SYSTEM)
    invitation, _ = invite(by=sender)
    membership.delete()
    age(invitation, minutes=5)
    services.send_invitation_again(northwind, invitation.pk, by=cast.owner)
    visitor.get(path_of(mailoutbox[-1]))
    assert visitor.post("/invitations/", {"name": "N", "password": PHRASE}).status_code == 302


def test_who_is_invited_to_a_customer_that_is_gone_meanwhile_gets_no_others(
    invite, visitor, northwind, acme, globex
):
    invitation, path = invite(customers=[acme])
    invitation.customers.clear()  # as the customer's own deletion would
    visitor.get(path)
    visitor.post("/invitations/", {"name": "N", "password": PHRASE})
    newcomer = User.objects.get(email=NEW)
    assert newcomer.memberships.get().provider == northwind
    assert not customers_of(newcomer)


@pytest.mark.parametrize("path", ["/invitations/", "/invitations/x/", "/invitations/-/", "/invitations/é/"])
def test_unknown_links_are_not_found(db, visitor, path):
    answer = visitor.get(path)
    assert answer.status_code == 404
    assert "There is no such invitation" in text(answer)
    assert follows(answer, "Sign in").status_code == 200


def test_a_link_that_leads_nowhere_leads_back_to_the_console_who_is_signed_in(cast, invite, client_for):
    client = client_for(cast.auditor, host=None)
    invitation, path = invite()
    age(invitation, days=8)
    for link, status, said in ((path, 410, "has expired"), ("/invitations/x/", 404, "no such invitation")):
        answer = client.get(link, follow=True)
        assert (answer.status_code, said in text(answer)) == (status, True)
        assert "Mail comes in." not in text(answer), "the wall is for who comes in"
        assert "Sign in" not in text(answer)
        assert follows(answer, "To the start page").status_code in (200, 302)


def test_invitations_are_on_the_base_host_only(cast, invite, client_for):
    _, path = invite()
    assert client_for(cast.admin).get(path).status_code == 404


def test_a_new_mail_ends_the_link_of_the_old_one(cast, northwind, invite, visitor, mailoutbox):
    invitation, old = invite()
    with pytest.raises(errors.SentJustNow):
        services.send_invitation_again(northwind, invitation.pk, by=cast.owner)
    age(invitation, days=8)
    services.send_invitation_again(northwind, invitation.pk, by=cast.owner)
    assert visitor.get(old).status_code == 404
    with pytest.raises(errors.NoSuchInvitation):  # a page that was open with the old link
        services.accept_invitation_as_newcomer(invitation, name="N", password=PHRASE)
    visitor.get(path_of(mailoutbox[-1]))
    assert visitor.post("/invitations/", {"name": "N", "password": PHRASE}).status_code == 302
    invitation.refresh_from_db()
    assert invitation.accepted_at < timezone.now() < invitation.expires_at


# --- On to the sign-in ---
@pytest.mark.parametrize("email", [NEW, "viewer@acme.example"])
def test_the_sign_in_page_knows_the_address_of_who_comes_by_an_invitation(invite, visitor, email):
    _, path = invite(email)
    page = visitor.get(path, follow=True)
    if email == NEW:
        fields = {"name": "Nora", "password": PHRASE}
        visitor.post(page.request["PATH_INFO"], fields)
    assert f'value="{email}"' in visitor.get("/accounts/login/").content.decode()
