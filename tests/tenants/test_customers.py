"""What a provider's people do with their customers: create, edit, suspend, and ask the first administrator in."""

import pytest
from django.utils import timezone

from accounts.actors import SYSTEM
from accounts.errors import InvalidAddress, UnknownLanguage, UnknownTimeZone
from accounts.models import User
from tenants import activity, errors, services, slugs
from tenants.models import AuditEvent, Customer, Invitation
from tests.tenants.kit import path_of

PHRASE = "seven long words nobody has heard"
FACTS = {
    "language": "de",
    "time_zone": "Europe/Berlin",
    "group": "Gold",
    "tags": ["on-site", "new"],
    "mailbox_limit": 2,
    "waiting_quota_octets": 5_000_000,
    "mailbox_quota_octets": 1_000_000,
    "message_limit_octets": 100_000,
    "allowed_networks": ["192.0.2.0/24"],
}


@pytest.fixture
def operator(cast, northwind):
    services.add_membership(cast.stranger, provider=northwind, role="operator", by=SYSTEM)
    return cast.stranger


@pytest.fixture
def founded(northwind, operator, mailoutbox):
    """A customer as an operator makes it, with somebody asked in."""
    return services.found_customer(
        "juniper",
        "Juniper Clinics",
        provider=northwind,
        admin_email="dana@juniper.example",
        by=operator,
        **FACTS,
    )


def last(action):
    return AuditEvent.objects.of(action).order_by("pk").last()


# --- Creating ---
def test_an_operator_makes_a_customer_with_all_that_is_decided_about_it(founded, operator):
    here = Customer.objects.get(slug="juniper")
    assert {name: getattr(here, name) for name in FACTS} == FACTS
    assert here.domains.get().domain == "juniper.portal.localhost"
    told = last("customer.created")
    assert (told.actor_email, told.data, told.provider_id) == (operator.email, FACTS, here.provider_id)


def test_what_an_operator_asks_in_is_the_first_administrator_who_begins_as_the_customer_has_it(
    founded, mailoutbox, client_for
):
    (mail,) = mailoutbox
    assert mail.to == ["dana@juniper.example"]
    assert "Einladung" in mail.subject + mail.body  # the customer's language
    visitor = client_for(None, host=None)
    visitor.get(path_of(mail))
    assert visitor.post("/invitations/", {"name": "Dana", "password": PHRASE}).status_code == 302
    dana = User.objects.get(email="dana@juniper.example")
    assert (dana.language, dana.time_zone) == ("de", "Europe/Berlin")
    assert (dana.memberships.get().customer, dana.memberships.get().role) == (founded, "admin")


def test_once_an_administrator_is_there_operators_ask_nobody_in(founded, operator, cast):
    services.invite_first_admin(founded, "ed@juniper.example", by=operator)  # instead
    dana, ed = Invitation.objects.order_by("pk")
    assert dana.withdrawn_at is not None
    services.add_membership(cast.mallory, customer=founded, role="admin", by=SYSTEM)
    with pytest.raises(errors.NotAllowed):
        services.invite_first_admin(founded, "fay@juniper.example", by=operator)
    with pytest.raises(errors.InvitationWithdrawn):
        services.check_open(ed)  # nobody stands for it any more
    services.invite(founded, "fay@juniper.example", role="admin", by=cast.owner)  # owners manage people


def test_an_invitation_is_void_when_its_operator_has_left(founded, operator):
    services.remove_membership(operator.memberships.get(), by=SYSTEM)
    with pytest.raises(errors.InvitationWithdrawn):
        services.check_open(Invitation.objects.get())


def test_an_address_that_is_none_makes_no_customer(northwind, cast):
    with pytest.raises(InvalidAddress) as refused:
        services.found_customer("juniper", "Juniper", provider=northwind, admin_email="dana", by=cast.owner)
    assert refused.value.field == "admin_email"
    assert not Customer.objects.filter(slug="juniper").exists()


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Juniper Clinics", "juniper-clinics"),
        ("  Bäckerei Müller & Söhne  ", "backerei-muller-sohne"),
        ("O'Brien's Straße 5", "obriens-strasse-5"),
        ("شركة", ""),
        ("x" * 60, "x" * 40),
    ],
)
def test_a_short_name_is_proposed_from_the_name(name, slug):
    assert slugs.propose(name) == slug


# --- Editing ---
@pytest.mark.parametrize(
    ("facts", "refusal"),
    [
        ({"language": "tlh"}, UnknownLanguage),
        ({"time_zone": "Mars/Olympus"}, UnknownTimeZone),
        ({"group": "x" * 61}, errors.InvalidGroup),
        ({"group": "a\nb"}, errors.InvalidGroup),
        ({"tags": ["x"] * 5 + [str(n) for n in range(11)]}, errors.InvalidTags),
        ({"tags": ["a,b"]}, errors.InvalidTags),
        ({"tags": "gold"}, errors.InvalidTags),
        ({"mailbox_limit": -1}, errors.InvalidQuota),
        ({"mailbox_limit": 2**31}, errors.InvalidQuota),
        ({"waiting_quota_octets": "10 GB"}, errors.InvalidQuota),
        ({"message_limit_octets": 1000}, errors.InvalidQuota),  # all mail would be sent back
        ({"allowed_networks": ["nonsense"]}, errors.InvalidNetworks),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_has_changed(acme, cast, facts, refusal):
    with pytest.raises(refusal) as refused:
        services.edit_customer(acme, name="Else", by=cast.owner, **facts)
    assert refused.value.field in facts
    acme.refresh_from_db()
    assert acme.name == "Acme"


def test_an_edit_says_in_the_trail_what_has_changed_and_no_more(acme, cast):
    services.edit_customer(
        acme, name="Acme", group=" Gold ", tags=["a", "a", " "], mailbox_limit=None, by=cast.owner
    )
    assert last("customer.changed").data == {"group": "Gold", "tags": ["a"]}
    count = AuditEvent.objects.count()
    services.edit_customer(acme, group="Gold", by=cast.owner)
    assert AuditEvent.objects.count() == count


def test_a_providers_words_for_its_customer_are_not_told_to_the_customers_people(acme, cast):
    services.edit_customer(acme, group="Pays late", tags=["noisy"], mailbox_limit=3, by=cast.owner)

    def told(by):
        trail = activity.activity_at(acme, by=by)
        return {detail.plain for detail in activity.read(trail, activity.Asked()).entries[0].details}

    assert told(cast.admin) == {"Limit for the number of mailboxes: 3"}
    assert told(cast.owner) == {"Group: Pays late", "Tags: noisy", "Limit for the number of mailboxes: 3"}


# --- Suspending ---
def test_a_suspension_says_since_when_by_whom_and_why_and_goes_without_a_trace_but_in_the_trail(acme, cast):
    before = timezone.now()
    suspended = services.suspend_customer(acme, reason=" Unpaid ", by=cast.owner)
    assert (suspended.status, suspended.suspended_by_email) == ("suspended", cast.owner.email)
    assert (suspended.suspension_reason, suspended.suspended_at >= before) == ("Unpaid", True)
    assert last("customer.suspended").data == {"reason": "Unpaid"}
    again = services.suspend_customer(acme, reason="Moving", by=cast.staff)  # the reason alone is another
    assert (again.suspended_at, again.suspended_by_email) == (suspended.suspended_at, cast.owner.email)
    services.activate_customer(acme, by=cast.owner)
    acme.refresh_from_db()
    assert (acme.status, acme.suspended_at, acme.suspended_by_email, acme.suspension_reason) == (
        "active",
        None,
        "",
        "",
    )
    count = AuditEvent.objects.of("customer.activated").count()
    services.activate_customer(acme, by=cast.owner)
    assert AuditEvent.objects.of("customer.activated").count() == count == 1


def test_a_reason_that_would_break_a_line_is_refused(acme, cast):
    for reason in ("a\nb", "x" * 501):
        with pytest.raises(errors.InvalidReason):
            services.suspend_customer(acme, reason=reason, by=cast.owner)
