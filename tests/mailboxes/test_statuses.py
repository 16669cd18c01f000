"""What each status allows: verbs, mail that comes and goes and pages, held to one table written out here."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes import errors, services
from mailboxes.models import Job
from mailboxes.services import Act, collection, delivery, statuses
from portal.languages.catalogs import ROOT
from tenants import directory
from tenants.access import Right
from tests.conftest import PEER


@pytest.fixture(autouse=True)
def _rolled_back(db):
    """One thread, so a transaction that is rolled back serves."""


# What refuses an act in a status; None where it is allowed. The order is that in which a test tries them: the last two
# change what the others need.
ACTIVE, SUSPENDED, DELETING, RETIRED = "active", "suspended", "deleting", "retired"
OVER = errors.MailboxDeleting
TABLE = {
    #                       active             suspended                deleting
    Act.TAKE_MAIL: (None, errors.MailboxSuspended, OVER),
    Act.COLLECT: (None, None, errors.BadCredentials),
    Act.EDIT: (None, None, OVER),
    Act.UNLOCK: (None, None, OVER),
    Act.DELETE_LOCKED_MAIL: (None, None, OVER),
    Act.SEE_LOSSES: (None, None, OVER),
    Act.WORK: (None, None, OVER),
    Act.RESET_PASSWORD: (None, None, OVER),
    Act.DELETE: (errors.StillActive, None, OVER),
}


def _retries(acme, mailbox):
    with tenant_context(acme):
        job = Job.objects.create(
            kind=Job.Kind.CLEARING,
            state=Job.State.FAILED,
            mailbox_id=mailbox.pk,
            mailbox_uuid=mailbox.pk,
            mailbox_name=mailbox.name,
            mailbox_address=mailbox.address,
        )
    services.retry(acme, job, by=SYSTEM)


DOES = {
    Act.TAKE_MAIL: lambda acme, box: delivery.resolve(box.address, peer=PEER),
    Act.COLLECT: lambda acme, box: collection.open_maildrop(box.address, box.password, peer=PEER).release(),
    Act.EDIT: lambda acme, box: services.edit_mailbox(acme, box.mailbox, by=SYSTEM, name="Another"),
    Act.UNLOCK: lambda acme, box: services.unlock(acme, box.mailbox, box.password, by=SYSTEM),
    Act.DELETE_LOCKED_MAIL: lambda acme, box: services.delete_locked_mail(acme, box.mailbox, by=SYSTEM),
    Act.SEE_LOSSES: lambda acme, box: services.losses(acme, now(acme, box), by=SYSTEM),
    Act.WORK: lambda acme, box: _retries(acme, box.mailbox),
    Act.RESET_PASSWORD: lambda acme, box: services.reset_password(
        acme, box.mailbox, by=SYSTEM, locked_mail="keep"
    ),
    Act.DELETE: lambda acme, box: services.start_deletion(acme, box.mailbox, by=SYSTEM),
}
NOT_FOR_ITS_STATUS = (errors.NothingToUnlock,)


def now(acme, box):
    return services.mailbox_for(SYSTEM, acme, box.mailbox.pk, Right.VIEW_MAILBOXES)


def brought_to(status, acme, box):
    if status != ACTIVE:
        services.suspend_mailbox(acme, box.mailbox, by=SYSTEM)
    if status == DELETING:
        services.start_deletion(acme, box.mailbox, by=SYSTEM)
    return now(acme, box)


def outcome_of(act, acme, box):
    try:
        DOES[act](acme, box)
    except NOT_FOR_ITS_STATUS:
        return None
    except errors.MailboxError as refusal:
        return type(refusal)
    return None


def test_the_table_knows_every_act_and_every_status(acme_mailbox):
    assert TABLE.keys() == DOES.keys() == set(Act)
    entry = directory.look_up(acme_mailbox.address)
    assert set(entry.Status) == {ACTIVE, SUSPENDED, DELETING, RETIRED}


@pytest.mark.parametrize(("column", "status"), list(enumerate((ACTIVE, SUSPENDED, DELETING))))
def test_each_status_allows_what_the_table_says_to_whoever_does_it(column, status, acme, acme_mailbox):
    mailbox = brought_to(status, acme, acme_mailbox)
    assert mailbox.status == status
    offered = services.acts_on(mailbox, frozenset(Right))
    told = {act: services.refusal(mailbox, act) is None for act in Act}
    wanted = {act: row[column] for act, row in TABLE.items()}
    assert {act: outcome_of(act, acme, acme_mailbox) for act in TABLE} == wanted
    allowed = {act for act, refused in wanted.items() if refused is None}
    assert {act for act, is_allowed in told.items() if is_allowed} == allowed, "pages hear what verbs do"
    assert offered == allowed - {Act.TAKE_MAIL, Act.COLLECT, Act.WORK}, "programs do these"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (ACTIVE, "This mailbox is active."),
        (SUSPENDED, "This mailbox is suspended."),
        (DELETING, "This mailbox is being deleted."),
    ],
)
def test_what_a_status_allows_no_longer_is_refused_in_words_that_are_true_of_it(
    status, said, acme, acme_mailbox, monkeypatch
):
    """Of an act that somebody adds, too: only deleting is told what to do before it, by the name of its mailbox."""
    mailbox = brought_to(status, acme, acme_mailbox)
    monkeypatch.setitem(statuses.STATUSES, status, statuses.STATUSES[status]._replace(allows=frozenset()))
    first = "“Office 365 Journal” is still active. Suspend it, then delete it."
    told = {act: str(services.refusal(mailbox, act).message) for act in Act}
    assert told == dict.fromkeys(Act, said) | ({Act.DELETE: first} if status == ACTIVE else {})


def test_what_is_retired_takes_no_mail_and_gives_none(acme, acme_mailbox, work):
    mailbox = brought_to(DELETING, acme, acme_mailbox)
    [job] = services.jobs_of(acme, mailbox, by=SYSTEM)
    work(job)
    assert directory.look_up(acme_mailbox.address).status == RETIRED
    assert outcome_of(Act.TAKE_MAIL, acme, acme_mailbox) is errors.UnknownAddress
    assert outcome_of(Act.COLLECT, acme, acme_mailbox) is errors.BadCredentials


@pytest.mark.parametrize(
    ("right", "acts"),
    [
        (Right.VIEW_MAILBOXES, set()),
        (Right.EDIT_MAILBOX, {Act.EDIT}),
        (Right.RESET_PASSWORD, {Act.RESET_PASSWORD, Act.UNLOCK}),
        (Right.DELETE_MAILBOX, {Act.DELETE_LOCKED_MAIL, Act.SEE_LOSSES, Act.DELETE}),
    ],
)
def test_each_right_offers_its_own_acts_and_asks_no_database(right, acts, acme, acme_mailbox):
    mailbox = brought_to(SUSPENDED, acme, acme_mailbox)
    with CaptureQueriesContext(connection) as asked:
        assert services.acts_on(mailbox, {right}) == acts
    assert len(asked) == 0, "a page has its mailbox and the person's rights at hand"


def test_no_page_decides_by_a_status_itself():
    # The badge alone has its words; what pages offer in each is held to the table in console/mailboxes/test_rights.py.
    decides = re.compile(r"\bstatus\b\s*(?:==|!=|(?:not )?in\b)|Status\.DELETING|get_status_display")
    console = ROOT / "portal/console"
    sources = [*(console / "mailboxes").glob("*.py"), *(console / "templates/mailboxes").rglob("*.html")]
    assert len(sources) > 30
    assert [str(path) for path in sources if decides.search(path.read_text())] == []
