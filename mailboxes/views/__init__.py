"""The customer's console: find, ask the services, answer. Only people with rights here get this far (tenants.middleware)."""

from mailboxes.views.console import detail, index
from mailboxes.views.creating import new
from mailboxes.views.deleting import certificate, certificate_json, delete, delete_locked, deleted
from mailboxes.views.editing import edit
from mailboxes.views.jobs import job
from mailboxes.views.passwords import reset_password, unlock

__all__ = [
    "certificate",
    "certificate_json",
    "delete",
    "delete_locked",
    "deleted",
    "detail",
    "edit",
    "index",
    "job",
    "new",
    "reset_password",
    "unlock",
]
