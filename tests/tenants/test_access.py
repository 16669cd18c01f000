"""Who may do what where: the table, person by person."""

import pytest
from django.contrib.auth.models import AnonymousUser

from tenants.access import (
    CUSTOMER_RIGHTS,
    PROVIDER_RIGHTS,
    Right,
    customers_of,
    provider_rights_of,
    providers_of,
    require,
    rights_of,
)
from tenants.errors import NotAllowed
from tenants.models import Membership
from tenants.services import change_role, remove_membership
from tenants.services.authority import limit_to

EVERYTHING = CUSTOMER_RIGHTS
LOOKING = frozenset({Right.VIEW_MAILBOXES, Right.VIEW_ACTIVITY, Right.VIEW_PEOPLE})
NOTHING = frozenset()


@pytest.mark.parametrize(
    ("person", "at_acme", "at_globex"),
    [
        ("owner", EVERYTHING, EVERYTHING),
        ("auditor", LOOKING, LOOKING),
        ("admin", EVERYTHING, NOTHING),
        ("viewer", LOOKING, NOTHING),
        ("mallory", NOTHING, EVERYTHING),
        ("rival", NOTHING, NOTHING),
        ("staff", NOTHING, NOTHING),
        ("stranger", NOTHING, NOTHING),
    ],
)
def test_rights_of_everybody(cast, acme, globex, person, at_acme, at_globex):
    user = getattr(cast, person)
    assert rights_of(user, acme) == at_acme
    assert rights_of(user, globex) == at_globex


def test_operators_do_all_but_manage_people(cast, acme):
    change_role(cast.owner.memberships.get(), role="operator")
    assert rights_of(cast.owner, acme) == EVERYTHING - {Right.MANAGE_PEOPLE}


def test_what_a_providers_people_may_there(cast, acme):
    assert provider_rights_of(cast.owner, acme.provider) == PROVIDER_RIGHTS
    assert provider_rights_of(cast.auditor, acme.provider) == {Right.VIEW_TEAM, Right.VIEW_TEAM_ACTIVITY}
    for person in (cast.admin, cast.rival, cast.staff, cast.stranger):
        assert provider_rights_of(person, acme.provider) == NOTHING


def test_an_operator_limited_to_some_customers_does_not_know_of_the_others(cast, acme, globex):
    limit_to(cast.auditor.memberships.get(), [globex])
    assert rights_of(cast.auditor, acme) == NOTHING
    assert rights_of(cast.auditor, globex) == LOOKING
    assert list(customers_of(cast.auditor)) == [globex]


def test_a_limit_stays_when_its_last_customer_is_gone(cast, acme, globex):
    limit_to(cast.auditor.memberships.get(), [globex])
    Membership.customers.through.objects.all().delete()  # as the customer's own deletion would
    assert rights_of(cast.auditor, acme) == rights_of(cast.auditor, globex) == NOTHING
    assert not customers_of(cast.auditor)


def test_nobody_in_particular_may_nothing(acme):
    assert rights_of(AnonymousUser(), acme) == NOTHING
    assert not customers_of(AnonymousUser())
    assert not providers_of(AnonymousUser())


def test_who_has_left_may_nothing(cast, acme):
    cast.owner.is_active = False
    assert rights_of(cast.owner, acme) == NOTHING
    assert not customers_of(cast.owner)
    assert not providers_of(cast.owner)


def test_a_removed_membership_takes_its_rights_along(cast, acme):
    remove_membership(cast.admin.memberships.get())
    assert rights_of(cast.admin, acme) == NOTHING


@pytest.mark.parametrize(
    ("person", "slugs"),
    [
        ("owner", {"acme", "globex"}),
        ("admin", {"acme"}),
        ("rival", {"initech"}),
        ("staff", set()),
        ("stranger", set()),
    ],
)
def test_customers_of_everybody(cast, person, slugs):
    assert {customer.slug for customer in customers_of(getattr(cast, person))} == slugs


def test_requiring_a_right(cast, acme):
    require(cast.viewer, acme, Right.VIEW_MAILBOXES)
    with pytest.raises(NotAllowed):
        require(cast.viewer, acme, Right.CREATE_MAILBOX)
