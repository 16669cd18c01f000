"""Who may do what where: the table, person by person."""

import pytest
from django.contrib.auth.models import AnonymousUser, Permission

from accounts.actors import SYSTEM
from accounts.models import User
from tenants.access import (
    CUSTOMER_RIGHTS,
    PLATFORM,
    PLATFORM_RIGHTS,
    PROVIDER_RIGHTS,
    ROLE_RIGHTS,
    STAFF_PERMISSIONS,
    Right,
    customers_of,
    providers_of,
    require,
    rights_of,
    served_by,
    shut_out_of,
)
from tenants.errors import NotAllowed
from tenants.models import Membership
from tenants.services import activate_customer, change_role, remove_membership, suspend_customer
from tenants.services.authority import limit_to

EVERYTHING = CUSTOMER_RIGHTS
OVERSEEING = frozenset({Right.OVERSEE_CUSTOMER, Right.EDIT_CUSTOMER, Right.SUSPEND_CUSTOMER})
ITS_OWN = EVERYTHING - OVERSEEING  # of a customer's administrator
LOOKING = frozenset({Right.VIEW_MAILBOXES, Right.VIEW_ACTIVITY, Right.VIEW_PEOPLE})
NOTHING = frozenset()

# Every right: where it is held, and by whom. Written by hand, once more than in tenants/access.py, so that nobody
# gets a right by a slip there. "staff": platform staff with Django's permission; the system has all of them.
AT_CUSTOMER, AT_PROVIDER, AT_PLATFORM = "customer", "provider", "platform"
TABLE = {
    "view-mailboxes": (AT_CUSTOMER, "owner operator auditor admin viewer"),
    "create-mailbox": (AT_CUSTOMER, "owner operator admin"),
    "edit-mailbox": (AT_CUSTOMER, "owner operator admin"),
    "reset-password": (AT_CUSTOMER, "owner operator admin"),
    "delete-mailbox": (AT_CUSTOMER, "owner operator admin"),
    "view-activity": (AT_CUSTOMER, "owner operator auditor admin viewer"),
    "view-people": (AT_CUSTOMER, "owner operator auditor admin viewer"),
    "manage-people": (AT_CUSTOMER, "owner admin"),
    "oversee-customer": (AT_CUSTOMER, "owner operator auditor"),
    "edit-customer": (AT_CUSTOMER, "owner operator"),
    "suspend-customer": (AT_CUSTOMER, "owner operator"),
    "view-team": (AT_PROVIDER, "owner operator auditor"),
    "manage-team": (AT_PROVIDER, "owner"),
    "set-security": (AT_PROVIDER, "owner"),
    "set-branding": (AT_PROVIDER, "owner"),
    "view-team-activity": (AT_PROVIDER, "owner operator auditor"),
    "create-customer": (AT_PROVIDER, "owner operator"),
    "view-provider": (AT_PLATFORM, "staff"),
    "add-provider": (AT_PLATFORM, "staff"),
    "change-provider": (AT_PLATFORM, "staff"),
    "view-customer": (AT_PLATFORM, "staff"),
    "add-customer": (AT_PLATFORM, "staff"),
    "remove-empty-customer": (AT_PLATFORM, ""),
    "give-up-customer": (AT_PLATFORM, ""),
    "change-customer": (AT_PLATFORM, "staff"),
    "add-person": (AT_PLATFORM, "staff"),
    "change-person": (AT_PLATFORM, "staff"),
    "add-membership": (AT_PLATFORM, "staff"),
    "change-membership": (AT_PLATFORM, "staff"),
    "delete-membership": (AT_PLATFORM, "staff"),
    "end-dispute": (AT_PLATFORM, "staff"),
    "let-in": (AT_PLATFORM, ""),
    "check-store": (AT_PLATFORM, ""),
    "move-store": (AT_PLATFORM, ""),
    "back-up": (AT_PLATFORM, ""),
    "restore": (AT_PLATFORM, ""),
}


def test_every_right_stands_in_the_table_with_its_place_and_all_who_have_it():
    places = {AT_CUSTOMER: CUSTOMER_RIGHTS, AT_PROVIDER: PROVIDER_RIGHTS, AT_PLATFORM: PLATFORM_RIGHTS}
    written = {
        right.value: (
            " ".join(place for place, rights in places.items() if right in rights),
            " ".join(
                [role for role in Membership.Role.values if right in ROLE_RIGHTS[role]]
                + ["staff"] * (right in STAFF_PERMISSIONS)
            ),
        )
        for right in Right
    }
    assert written == TABLE
    assert set(ROLE_RIGHTS) == set(Membership.Role.values)


def test_a_right_of_which_nobody_has_thought_is_nobodys(cast, acme):
    """As a new member of Right is, until it is written into the sets."""
    new = "read-everything"
    for place in (acme, acme.provider, PLATFORM):
        for actor in (cast.owner, cast.admin, cast.staff, SYSTEM):
            with pytest.raises(NotAllowed):
                require(actor, place, new)


def test_a_right_is_held_only_at_its_own_kind_of_place(cast, acme):
    for actor in (cast.owner, SYSTEM):
        with pytest.raises(NotAllowed):
            require(actor, acme, Right.VIEW_TEAM)
        with pytest.raises(NotAllowed):
            require(actor, acme.provider, Right.VIEW_MAILBOXES)
        with pytest.raises(NotAllowed):
            require(actor, PLATFORM, Right.VIEW_MAILBOXES)


def test_the_system_may_what_is_written_for_each_place(acme):
    assert rights_of(SYSTEM, acme) == CUSTOMER_RIGHTS
    assert rights_of(SYSTEM, acme.provider) == PROVIDER_RIGHTS
    assert rights_of(SYSTEM, PLATFORM) == PLATFORM_RIGHTS


@pytest.mark.parametrize(
    "nobody", [None, AnonymousUser(), "system", User(email="operator@northwind.example")]
)
def test_who_is_no_actor_may_nothing(db, acme, nobody):
    for place in (acme, acme.provider, PLATFORM):
        assert rights_of(nobody, place) == NOTHING


def test_platform_staff_have_the_rights_of_the_permissions_that_they_were_given(cast):
    assert rights_of(cast.staff, PLATFORM) == frozenset(STAFF_PERMISSIONS)  # a superuser
    clerk = cast.stranger
    clerk.user_permissions.add(Permission.objects.get(codename="add_customer"))
    assert rights_of(clerk, PLATFORM) == NOTHING
    User.objects.filter(pk=clerk.pk).update(is_staff=True)
    assert rights_of(clerk, PLATFORM) == {Right.ADD_CUSTOMER, Right.END_DISPUTE}
    assert rights_of(cast.owner, PLATFORM) == NOTHING


@pytest.mark.parametrize(
    ("person", "at_acme", "at_globex"),
    [
        ("owner", EVERYTHING, EVERYTHING),
        ("auditor", LOOKING | {Right.OVERSEE_CUSTOMER}, LOOKING | {Right.OVERSEE_CUSTOMER}),
        ("admin", ITS_OWN, NOTHING),
        ("viewer", LOOKING, NOTHING),
        ("mallory", NOTHING, ITS_OWN),
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
    change_role(cast.owner.memberships.get(), role="operator", by=SYSTEM)
    assert rights_of(cast.owner, acme) == EVERYTHING - {Right.MANAGE_PEOPLE}


def test_what_a_providers_people_may_there(cast, acme):
    assert rights_of(cast.owner, acme.provider) == PROVIDER_RIGHTS
    assert rights_of(cast.auditor, acme.provider) == {Right.VIEW_TEAM, Right.VIEW_TEAM_ACTIVITY}
    for person in (cast.admin, cast.rival, cast.staff, cast.stranger):
        assert rights_of(person, acme.provider) == NOTHING


def test_an_operator_limited_to_some_customers_does_not_know_of_the_others(cast, acme, globex):
    limit_to(cast.auditor.memberships.get(), [globex])
    assert rights_of(cast.auditor, acme) == NOTHING
    assert rights_of(cast.auditor, globex) == LOOKING | {Right.OVERSEE_CUSTOMER}
    assert list(customers_of(cast.auditor)) == [globex]


def test_who_is_limited_to_some_customers_makes_no_others(cast, acme, globex):
    change_role(cast.auditor.memberships.get(), role="operator", by=SYSTEM)
    assert Right.CREATE_CUSTOMER in rights_of(cast.auditor, acme.provider)
    limit_to(cast.auditor.memberships.get(), [globex])
    assert rights_of(cast.auditor, acme.provider) == {Right.VIEW_TEAM, Right.VIEW_TEAM_ACTIVITY}
    assert rights_of(cast.auditor, globex) >= OVERSEEING


def test_where_somebody_may_make_customers_is_told_in_one_question_as_their_rights_say(cast, acme, globex):
    for reach in (None, [globex]):
        limit_to(cast.auditor.memberships.get(), reach)
        for role in ("operator", "auditor"):
            change_role(cast.auditor.memberships.get(), role=role, by=SYSTEM)
            (told,) = served_by(cast.auditor)
            assert told.founds == (Right.CREATE_CUSTOMER in rights_of(cast.auditor, acme.provider)), (
                reach,
                role,
            )


def test_a_suspension_shuts_a_customers_own_people_out_and_nobody_else(cast, acme):
    before = {who: rights_of(getattr(cast, who), acme) for who in ("owner", "auditor")}
    suspend_customer(acme, by=cast.owner)
    for person in (cast.admin, cast.viewer):
        assert rights_of(person, acme) == NOTHING  # by the row, though this copy knows nothing of it
        assert not customers_of(person)
        assert list(shut_out_of(person)) == [acme]
    assert {who: rights_of(getattr(cast, who), acme) for who in before} == before
    assert acme in customers_of(cast.owner)
    assert not shut_out_of(cast.owner)
    assert not shut_out_of(cast.mallory)
    activate_customer(acme, by=cast.owner)
    assert rights_of(cast.admin, acme) == ITS_OWN
    assert list(customers_of(cast.admin)) == [acme]


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


def test_who_was_switched_off_a_moment_ago_may_nothing_with_an_older_copy_either(cast, acme):
    User.objects.filter(pk=cast.owner.pk).update(is_active=False)
    assert rights_of(cast.owner, acme) == rights_of(cast.owner, acme.provider) == NOTHING


def test_whom_the_platform_has_dropped_a_moment_ago_may_nothing_with_an_older_copy_either(cast):
    clerk = User.objects.create(email="clerk@gatehouse.example", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="add_membership"))
    assert Right.ADD_MEMBERSHIP in rights_of(clerk, PLATFORM)
    clerk.user_permissions.clear()
    assert Right.ADD_MEMBERSHIP not in rights_of(clerk, PLATFORM)
    for dropped in ({"is_superuser": False, "is_staff": False}, {"is_staff": False}, {"is_active": False}):
        as_before = {"is_superuser": True, "is_staff": True, "is_active": True}
        User.objects.filter(pk=cast.staff.pk).update(**as_before | dropped)
        assert rights_of(cast.staff, PLATFORM) == NOTHING, dropped


def test_a_removed_membership_takes_its_rights_along(cast, acme):
    remove_membership(cast.admin.memberships.get(), by=SYSTEM)
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
