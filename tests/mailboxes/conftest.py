"""A mailbox that can be filled, emptied and worked on, all in the test's own thread."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django_tenants.utils import tenant_context

from accounts.actors import SYSTEM
from mailboxes.models import Job, KeyLock, MailboxKey, Message
from mailboxes.services import job_for, tallies
from mailboxes.work.slices import work_slice
from tenants.models import LastBackup
from tests import s3
from tests.conftest import OpenMailbox, _clone
from tests.mailboxes.backups import TEXTS, Operator


@pytest.fixture
def work(acme: Any) -> Callable[[Job], Job]:
    """Workers do what the job asks for, to its end or until it pauses."""

    def to_the_end(job: Job) -> Job:
        while work_slice(acme, job.pk):
            pass
        return job_for(SYSTEM, acme, job.pk)

    return to_the_end


@pytest.fixture
def in_acme(acme: Any) -> Iterator[None]:
    with tenant_context(acme):
        yield


@pytest.fixture
def keys(acme: Any, acme_mailbox: OpenMailbox) -> Callable[[], dict[int, tuple[str, list[str], int]]]:
    """State, kinds of locks and number of messages of each generation."""

    def look() -> dict[int, tuple[str, list[str], int]]:
        with tenant_context(acme):
            return {
                key.generation: (
                    key.state,
                    sorted(KeyLock.objects.filter(key=key).values_list("kind", flat=True)),
                    Message.objects.filter(key=key).count(),
                )
                for key in MailboxKey.objects.filter(mailbox=acme_mailbox.mailbox).order_by("generation")
            }

    return look


@pytest.fixture
def folding(acme: Any) -> Callable[[int], AbstractContextManager[None]]:
    """Beat folds Acme's counters once, after so many statements about them: it may do so between any two."""

    def at(moment: int) -> AbstractContextManager[None]:
        left = moment

        def watch(execute: Callable[..., Any], statement: Any, *arguments: Any) -> Any:
            nonlocal left
            result = execute(statement, *arguments)
            if "tally" in str(statement):
                left -= 1
                if left == 0:
                    tallies.fold(acme)
            return result

        return connection.execute_wrapper(watch)

    return at


@pytest.fixture(scope="module")
def one_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """As `committed_db`, for all tests of a module: what one of them does, the next one sees."""
    with django_db_blocker.unblock():
        connection.set_schema_to_public()
        yield
        connection.set_schema_to_public()
        _clone()


@pytest.fixture
def operator(committed_db: None, settings: Any, tmp_path: Path) -> Operator:
    place = tmp_path / "backups"
    place.mkdir()
    return Operator(settings, place.as_uri())


@pytest.fixture
def operator_with_buckets(committed_db: None, settings: Any, s3_store: str, s3_server: s3.Server) -> Operator:
    settings.BACKUP_S3_ENDPOINT, settings.BACKUP_S3_REGION = s3_server.endpoint, s3.REGION
    settings.BACKUP_S3_ACCESS_KEY_ID = s3.ACCESS_KEY_ID
    settings.BACKUP_S3_SECRET_ACCESS_KEY = s3.SECRET_ACCESS_KEY
    return Operator(settings, f"s3://{s3_server.bucket()}/backups")


@pytest.fixture
def scene(
    operator: Operator, globex: Any, acme_mailbox: OpenMailbox, make_mailbox: Any, fill: Any
) -> Operator:
    """One whole backup, and more mail since."""
    operator.theirs = make_mailbox("Theirs", customer=globex)
    fill(b"theirs", to=operator.theirs)
    fill(*TEXTS)
    operator.whole = operator.backs_up()["name"]
    LastBackup.objects.all().delete()
    return operator
