"""The room's front door: one function per verb, each one transaction with its audit line."""

from tenants.services.authority import check_owner_stays, check_role, givable_roles, may_found, may_manage
from tenants.services.customers import (
    create_customer,
    create_provider,
    customer_by_slug,
    edit_customer,
    list_customers,
    provider_by_slug,
    rename_provider,
    stopped_jobs,
)
from tenants.services.invitations import (
    accept_invitation,
    accept_invitation_as_newcomer,
    check_open,
    find_invitation,
    found_provider,
    hash_of,
    invite,
    invite_first_owner,
    invitee,
    send_invitation_again,
    withdraw_invitation,
)
from tenants.services.people import (
    add_membership,
    change_member,
    change_role,
    create_member,
    remove_member,
    remove_membership,
)
from tenants.services.policy import (
    consent_to_identity_provider,
    may_consent,
    people_under_policy,
    set_security_policy,
)
from tenants.services.rescue import WayIn, let_in
from tenants.services.roster import invited, member, members
from tenants.services.standing import change_person, may_change_address
from tenants.services.switching import switch_off, switch_on

__all__ = [
    "WayIn",
    "accept_invitation",
    "accept_invitation_as_newcomer",
    "add_membership",
    "change_member",
    "change_person",
    "change_role",
    "check_open",
    "check_owner_stays",
    "check_role",
    "consent_to_identity_provider",
    "create_customer",
    "create_member",
    "create_provider",
    "customer_by_slug",
    "edit_customer",
    "find_invitation",
    "found_provider",
    "givable_roles",
    "hash_of",
    "invite",
    "invite_first_owner",
    "invited",
    "invitee",
    "let_in",
    "list_customers",
    "may_change_address",
    "may_consent",
    "may_found",
    "may_manage",
    "member",
    "members",
    "people_under_policy",
    "provider_by_slug",
    "remove_member",
    "remove_membership",
    "rename_provider",
    "send_invitation_again",
    "set_security_policy",
    "stopped_jobs",
    "switch_off",
    "switch_on",
    "withdraw_invitation",
]
