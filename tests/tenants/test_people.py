"""Roles given, changed and taken by people: what the services refuse, whoever asks, and in whatever order."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection, transaction

from accounts.actors import SYSTEM
from accounts.models import User
from accounts.services import create_person
from tenants import errors, services
from tenants.access import Right, rights_of
from tenants.models import AuditEvent, Invitation, Membership
from tenants.services.authority import limit_of, limit_to, lock
from tests.cast import customer, provider
from tests.locks import until_they_wait
from tests.tenants.kit import at_once


@pytest.fixture
def colleague(northwind):
    """A second owner, an operator: whoever a test needs at Northwind."""

    def make(role, email="colleague@northwind.example"):
        user, _ = create_person(email, by=SYSTEM)
        return services.add_membership(user, provider=northwind, role=role, by=SYSTEM)

    return make


def last_event():
    return AuditEvent.objects.latest("id")


# --- Changing ---
def test_an_owner_changes_role_and_reach_and_the_trail_tells_both(cast, northwind, acme):
    auditor = cast.auditor.memberships.get()
    services.change_member(northwind, auditor.pk, role="operator", customers=[acme], by=cast.owner)
    event = last_event()
    assert (event.action, event.actor_email, event.target_name) == (
        "membership.changed",
        cast.owner.email,
        cast.auditor.email,
    )
    assert event.data == {"role": "operator", "before": "auditor", "customers": ["acme"]}
    services.change_member(northwind, auditor.pk, role="auditor", customers=None, by=cast.owner)
    assert last_event().data == {"role": "auditor", "before": "operator", "customers_before": ["acme"]}


def test_a_limit_counts_at_once(cast, northwind, acme, globex):
    auditor = cast.auditor.memberships.get()
    services.change_member(northwind, auditor.pk, role="auditor", customers=[globex], by=cast.owner)
    assert not rights_of(cast.auditor, acme)
    assert Right.VIEW_MAILBOXES in rights_of(cast.auditor, globex)


@pytest.mark.parametrize(
    ("role", "slugs"),
    [("owner", ["acme"]), ("operator", []), ("operator", ["initech"]), ("operator", ["acme", "initech"])],
)
def test_limits_that_make_no_sense_are_refused(cast, northwind, role, slugs):
    auditor = cast.auditor.memberships.get()
    with pytest.raises(errors.InvalidLimit):
        services.change_member(
            northwind, auditor.pk, role=role, customers=[customer(slug) for slug in slugs], by=cast.owner
        )
    auditor.refresh_from_db()
    assert (auditor.role, auditor.customers.count()) == ("auditor", 0)


def test_who_becomes_an_owner_loses_their_limit(cast, northwind, acme):
    auditor = cast.auditor.memberships.get()
    limit_to(auditor, [acme])
    services.change_member(northwind, auditor.pk, role="owner", by=cast.owner)
    assert limit_of(cast.auditor.memberships.get()) is None


def test_who_is_limited_to_a_customer_that_is_gone_stays_so_in_another_role(cast, northwind, acme):
    limit_to(cast.auditor.memberships.get(), [acme])
    Membership.customers.through.objects.all().delete()
    services.change_role(cast.auditor.memberships.get(), role="operator", by=cast.staff)
    assert not rights_of(cast.auditor, acme)
    services.change_member(
        northwind, cast.auditor.memberships.get().pk, role="operator", customers=[acme], by=cast.owner
    )
    assert last_event().data == {
        "role": "operator",
        "before": "operator",
        "customers": ["acme"],
        "customers_before": [],
    }
    assert Right.EDIT_MAILBOX in rights_of(cast.auditor, acme)


@pytest.mark.parametrize("slugs", [None, ["acme", "globex"]])
def test_saving_what_is_so_already_leaves_no_line(cast, northwind, slugs):
    customers = slugs and [customer(slug) for slug in slugs]
    auditor = cast.auditor.memberships.get()
    limit_to(auditor, customers)
    before = AuditEvent.objects.count()
    again = customers and customers[::-1]
    services.change_member(northwind, auditor.pk, role="auditor", customers=again, by=cast.owner)
    services.change_role(auditor, role="auditor", by=cast.staff)
    assert AuditEvent.objects.count() == before
    assert limit_of(cast.auditor.memberships.get()) == customers


def test_roles_of_another_kind_of_place_are_refused(cast, northwind, acme):
    with pytest.raises(errors.InvalidRole):
        services.change_member(northwind, cast.auditor.memberships.get().pk, role="admin", by=cast.owner)
    with pytest.raises(errors.InvalidRole):
        services.change_member(acme, cast.viewer.memberships.get().pk, role="owner", by=cast.admin)


@pytest.mark.parametrize("who", ["auditor", "admin", "rival", "staff", "stranger"])
def test_only_owners_change_a_team(cast, northwind, who):
    by = getattr(cast, who)
    membership = cast.auditor.memberships.get()
    for act in (
        lambda: services.change_member(northwind, membership.pk, role="owner", by=by),
        lambda: services.remove_member(northwind, membership.pk, by=by),
    ):
        with pytest.raises(errors.NotAllowed):
            act()
    assert Membership.objects.get(pk=membership.pk).role == "auditor"


@pytest.mark.parametrize("who", ["auditor", "viewer", "mallory", "rival", "staff", "stranger"])
def test_only_administrators_and_the_providers_owners_change_a_customers_people(cast, acme, who):
    by = getattr(cast, who)
    membership = cast.viewer.memberships.get()
    with pytest.raises(errors.NotAllowed):
        services.change_member(acme, membership.pk, role="admin", by=by)
    with pytest.raises(errors.NotAllowed):
        services.remove_member(acme, membership.pk, by=by)
    for allowed in (cast.admin, cast.owner):
        services.change_member(acme, membership.pk, role="viewer", by=allowed)


def test_an_operator_does_not_raise_anybody_least_of_all_themselves(cast, northwind, acme, colleague):
    operator = colleague("operator")
    for act in (
        lambda: services.change_member(northwind, operator.pk, role="owner", by=operator.user),
        lambda: services.change_member(
            acme, cast.viewer.memberships.get().pk, role="admin", by=operator.user
        ),
    ):
        with pytest.raises(errors.NotAllowed):
            act()


def test_who_may_manage_only_some_customers_gives_no_more_than_these(cast, northwind, acme, globex):
    mine = cast.owner.memberships.get()
    limit_to(mine, [acme])  # no service does this: the rule holds for roles that may come
    auditor = cast.auditor.memberships.get()
    for customers in (None, [globex], [acme, globex]):
        with pytest.raises(errors.MoreThanOwn):
            services.change_member(northwind, auditor.pk, role="operator", customers=customers, by=cast.owner)
    services.change_member(northwind, auditor.pk, role="operator", customers=[acme], by=cast.owner)
    mine.customers.clear()
    with pytest.raises(errors.MoreThanOwn):
        services.change_member(northwind, auditor.pk, role="operator", customers=None, by=cast.owner)


def test_people_of_other_places_are_not_found(cast, northwind, acme, globex):
    for place, membership in [
        (northwind, cast.rival.memberships.get()),
        (northwind, cast.admin.memberships.get()),
        (acme, cast.mallory.memberships.get()),
        (acme, cast.auditor.memberships.get()),
    ]:
        with pytest.raises(errors.NoSuchMember):
            services.change_member(place, membership.pk, role=membership.role, by=cast.owner)
        with pytest.raises(errors.NoSuchMember):
            services.remove_member(place, membership.pk, by=cast.owner)


# --- Removing ---
def test_a_removed_person_has_no_rights_left_and_the_trail_tells(cast, northwind, acme):
    services.remove_member(northwind, cast.auditor.memberships.get().pk, by=cast.owner)
    assert not rights_of(cast.auditor, northwind)
    assert not rights_of(cast.auditor, acme)
    event = last_event()
    assert (event.action, event.actor_email, event.data) == (
        "membership.removed",
        cast.owner.email,
        {"role": "auditor"},
    )


def test_removing_twice_is_refused_the_second_time(cast, northwind):
    pk = cast.auditor.memberships.get().pk
    services.remove_member(northwind, pk, by=cast.owner)
    with pytest.raises(errors.NoSuchMember):
        services.remove_member(northwind, pk, by=cast.owner)
    assert AuditEvent.objects.filter(action="membership.removed").count() == 1


def test_the_invitations_of_who_is_removed_or_stepped_down_are_withdrawn(cast, northwind, acme, colleague):
    other = colleague("owner")
    services.invite(northwind, "alter.ego@elsewhere.example", role="auditor", customers=[acme], by=other.user)
    services.invite(acme, "alter.ego@elsewhere.example", role="admin", by=other.user)
    services.invite(acme, "friend@acme.example", role="viewer", by=cast.admin)
    services.change_member(northwind, other.pk, role="operator", by=cast.owner)
    still_open = Invitation.objects.filter(withdrawn_at=None)
    assert [invitation.email for invitation in still_open] == ["friend@acme.example"]
    withdrawn = AuditEvent.objects.filter(action="invitation.withdrawn", actor_email=cast.owner.email)
    assert [event.data for event in withdrawn.order_by("pk")] == [
        {"role": "auditor", "customers": ["acme"]},
        {"role": "admin"},
    ]
    services.remove_member(acme, cast.admin.memberships.get().pk, by=cast.owner)
    assert not still_open.all().exists()


# --- The last owner ---
def test_the_last_owner_stays(cast, northwind):
    pk = cast.owner.memberships.get().pk
    for act in (
        lambda: services.remove_member(northwind, pk, by=cast.owner),
        lambda: services.change_member(northwind, pk, role="operator", by=cast.owner),
        lambda: services.remove_membership(cast.owner.memberships.get(), by=cast.staff),
        lambda: services.change_role(cast.owner.memberships.get(), role="auditor", by=cast.staff),
    ):
        with pytest.raises(errors.LastOwner):
            act()
    assert cast.owner.memberships.get().role == "owner"


def test_an_owner_who_can_not_sign_in_does_not_count(cast, northwind, colleague):
    other = colleague("owner")
    for shut in ({"is_active": False}, {"is_active": True, "is_demo": True}):  # this is not the demo
        User.objects.filter(pk=other.user_id).update(**shut)
        with pytest.raises(errors.LastOwner):
            services.change_member(northwind, cast.owner.memberships.get().pk, role="operator", by=cast.owner)


def test_a_policy_demands_nothing_of_who_can_not_sign_in(cast, northwind, colleague):
    other, before = colleague("owner"), services.people_under_policy(northwind, by=cast.owner)
    User.objects.filter(pk=other.user_id).update(is_demo=True)  # and this is not the demo
    assert services.people_under_policy(northwind, by=cast.owner) == before - 1


def test_one_of_two_owners_may_step_down_or_leave(cast, northwind, colleague):
    other = colleague("owner")
    services.change_member(northwind, other.pk, role="operator", by=other.user)
    services.change_member(northwind, other.pk, role="owner", by=cast.owner)
    services.remove_member(northwind, other.pk, by=other.user)
    assert not Membership.objects.filter(pk=other.pk).exists()


def test_of_two_owners_who_remove_each_other_at_once_one_wins(committed_db, cast, northwind, colleague):
    mine, other = cast.owner.memberships.get(), colleague("owner")
    outcomes = at_once(
        lambda: services.remove_member(northwind, other.pk, by=cast.owner),
        lambda: services.remove_member(northwind, mine.pk, by=other.user),
    )
    assert outcomes == ["done", "not-allowed"]
    assert northwind.memberships.filter(role="owner").count() == 1


def test_who_becomes_an_owner_elsewhere_while_being_switched_off_is_judged_there_too(
    committed_db, cast, northwind, colleague
):
    """Else the owner there, who leaves at the same moment, and the one who came would each rely on the other."""
    fabrikam, leaving = provider("fabrikam"), cast.rival.memberships.get()
    both = colleague("operator").user
    services.invite(fabrikam, "friend@fabrikam.example", role="auditor", by=cast.rival)
    decided, locked = threading.Event(), threading.Event()

    def decides_at_northwind():
        with transaction.atomic():
            lock(northwind)
            locked.set()
            assert decided.wait(30)

    with ThreadPoolExecutor(4) as threads:

        def starts(act):
            return threads.submit(at_once, act)

        deciding = starts(decides_at_northwind)
        assert locked.wait(30)
        off = starts(lambda: services.switch_off(both, by=cast.staff))
        with connection.cursor() as cursor:
            until_they_wait(cursor, 1)
            joins = starts(lambda: services.add_membership(both, provider=fabrikam, role="owner", by=SYSTEM))
            assert joins.result(30) == ["done"]
            with transaction.atomic():
                Invitation.objects.select_for_update().get(provider=fabrikam)
                leaves = starts(lambda: services.remove_member(fabrikam, leaving.pk, by=both))
                until_they_wait(cursor, 2)  # having been judged
                decided.set()
                assert deciding.result(30) == ["done"]
                until_they_wait(cursor, 2, or_ended=off.done)
        assert (off.result(30), leaves.result(30)) == (["last-owner"], ["done"])
    assert fabrikam.memberships.get(role="owner", user__is_active=True).user == both


def test_of_two_owners_who_step_down_at_once_one_stays(committed_db, cast, northwind, colleague):
    mine, other = cast.owner.memberships.get(), colleague("owner")
    outcomes = at_once(
        lambda: services.change_member(northwind, mine.pk, role="operator", by=cast.owner),
        lambda: services.remove_member(northwind, other.pk, by=other.user),
    )
    assert outcomes == ["done", "last-owner"]
    assert northwind.memberships.filter(role="owner").count() == 1


# --- The security policy ---
def with_factor(user):
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})


def test_an_owner_requires_a_second_factor_and_lifts_it_again(cast, northwind):
    with_factor(cast.owner)
    services.set_security_policy(northwind, require_second_factor=True, by=cast.owner)
    assert provider("northwind").require_second_factor
    event = last_event()
    assert (event.action, event.actor_email) == ("provider.security-changed", cast.owner.email)
    assert event.data == {"require_second_factor": True, "before": False}
    services.set_security_policy(northwind, require_second_factor=False, by=cast.owner)
    assert not provider("northwind").require_second_factor


def test_who_has_no_second_factor_can_not_require_one(cast, northwind):
    Authenticator.objects.create(user=cast.owner, type=Authenticator.Type.RECOVERY_CODES, data={})
    with pytest.raises(errors.OwnSecondFactorMissing):
        services.set_security_policy(northwind, require_second_factor=True, by=cast.owner)
    assert not provider("northwind").require_second_factor


@pytest.mark.parametrize("who", ["auditor", "admin", "rival", "staff"])
def test_only_owners_set_the_policy(cast, northwind, who):
    with_factor(getattr(cast, who))
    with pytest.raises(errors.NotAllowed):
        services.set_security_policy(northwind, require_second_factor=True, by=getattr(cast, who))


def test_saying_the_same_again_leaves_no_line(cast, northwind):
    before = AuditEvent.objects.count()
    services.set_security_policy(northwind, require_second_factor=False, by=cast.owner)
    assert AuditEvent.objects.count() == before


# --- Lists ---
def test_the_list_knows_who_has_a_second_factor_and_sorts_by_it(cast, northwind):
    with_factor(cast.auditor)
    found = services.members(northwind, sort="-second_factor", by=SYSTEM)
    assert [(one.user, one.has_second_factor) for one in found] == [
        (cast.auditor, True),
        (cast.owner, False),
    ]
