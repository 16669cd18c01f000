"""The room's front door: one function per verb, each one transaction with its audit line."""

from tenants.services.customers import (
    create_customer,
    create_provider,
    customer_by_slug,
    edit_customer,
    provider_by_slug,
    rename_provider,
)
from tenants.services.people import add_membership, change_role, check_role, create_member, remove_membership

__all__ = [
    "add_membership",
    "change_role",
    "check_role",
    "create_customer",
    "create_member",
    "create_provider",
    "customer_by_slug",
    "edit_customer",
    "provider_by_slug",
    "remove_membership",
    "rename_provider",
]
