"""The front door: what people and programs do with mailboxes. Delivery and collection are modules of their own."""

from mailboxes.services.certificates import (
    Certificate,
    CertificateInvalid,
    certificate_of,
    certificates,
    verify_certificate,
)
from mailboxes.services.condition import Condition, condition
from mailboxes.services.creation import Offer, accept, create_mailbox, offer
from mailboxes.services.deletion import Losses, losses, start_deletion
from mailboxes.services.delivery_log import Page as LogPage
from mailboxes.services.delivery_log import deliveries_of
from mailboxes.services.finding import (
    SORTABLE,
    MailServers,
    list_mailboxes,
    mailbox_by_address,
    mailbox_for,
    servers,
)
from mailboxes.services.jobs import job_for, jobs_of, right_to_retry, unsettled
from mailboxes.services.lifecycle import SETTABLE, activate_mailbox, edit_mailbox, suspend_mailbox
from mailboxes.services.limits import Use, mailboxes_left, use_of
from mailboxes.services.origins import Behind, Origin, behind, deleted_by, origins_of
from mailboxes.services.passwords import ResetOffer, accept_reset, offer_reset, reset_password, unlock
from mailboxes.services.progress import Progress, progress
from mailboxes.services.reach import (
    ReachTest,
    finish_reach_test,
    reach_test_of,
    start_reach_test,
    take_reach_test,
)
from mailboxes.services.removal import delete_locked_mail
from mailboxes.services.retrying import retry
from mailboxes.services.sign_in_refusals import sign_in_refusals_of
from mailboxes.services.statuses import Act, acts_on, allows, is_over, refusal
from mailboxes.services.tallies import Activity, activity
from mailboxes.vault import PASSWORD_SYMBOLS

__all__ = [
    "PASSWORD_SYMBOLS",
    "SETTABLE",
    "SORTABLE",
    "Act",
    "Activity",
    "Behind",
    "Certificate",
    "CertificateInvalid",
    "Condition",
    "LogPage",
    "Losses",
    "MailServers",
    "Offer",
    "Origin",
    "Progress",
    "ReachTest",
    "ResetOffer",
    "Use",
    "accept",
    "accept_reset",
    "activate_mailbox",
    "activity",
    "acts_on",
    "allows",
    "behind",
    "certificate_of",
    "certificates",
    "condition",
    "create_mailbox",
    "delete_locked_mail",
    "deleted_by",
    "deliveries_of",
    "edit_mailbox",
    "finish_reach_test",
    "is_over",
    "job_for",
    "jobs_of",
    "list_mailboxes",
    "losses",
    "mailbox_by_address",
    "mailbox_for",
    "mailboxes_left",
    "offer",
    "offer_reset",
    "origins_of",
    "progress",
    "reach_test_of",
    "refusal",
    "reset_password",
    "retry",
    "right_to_retry",
    "servers",
    "sign_in_refusals_of",
    "start_deletion",
    "start_reach_test",
    "suspend_mailbox",
    "take_reach_test",
    "unlock",
    "unsettled",
    "use_of",
    "verify_certificate",
]
