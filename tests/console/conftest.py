from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from mailboxes.models import Job, Mailbox
from mailboxes.services import collection, delivery
from mailboxes.work.slices import work_slice
from tests.cast import Cast
from tests.conftest import OpenMailbox
from tests.console.kit import Visit

PEER = "192.0.2.1"


@pytest.fixture
def admin(cast: Cast, client_for: Callable[..., Client]) -> Client:
    return client_for(cast.admin)


@pytest.fixture
def visit(admin: Client) -> Visit:
    return Visit(admin)


@pytest.fixture
def mailboxes(acme: Any) -> Callable[[], list[Mailbox]]:
    """Acme's mailboxes as they stand in the database."""

    def read() -> list[Mailbox]:
        with tenant_context(acme):
            return list(Mailbox.objects.order_by("name"))

    return read


@pytest.fixture
def fill(acme_mailbox: OpenMailbox) -> Callable[..., None]:
    """Mail comes in."""

    def deliver(*mails: bytes) -> None:
        for mail in mails:
            delivery.deliver([delivery.resolve(acme_mailbox.address, peer=PEER)], [mail])

    return deliver


@pytest.fixture
def collect(acme_mailbox: OpenMailbox) -> Callable[[str], list[bytes]]:
    """What an archiver gets with this password."""

    def read(password: str) -> list[bytes]:
        maildrop = collection.open_maildrop(acme_mailbox.address, password, peer=PEER)
        try:
            return [b"".join(maildrop.read(index)) for index in range(len(maildrop.entries))]
        finally:
            maildrop.release()

    return read


@pytest.fixture
def jobs(acme: Any) -> Callable[[], list[Job]]:
    """Acme's jobs as they stand in the database, in the order in which they were asked for."""

    def read() -> list[Job]:
        with tenant_context(acme):
            return list(Job.objects.order_by("created_at"))

    return read


@pytest.fixture
def work(acme: Any, jobs: Callable[[], list[Job]]) -> Callable[[], None]:
    """Workers do all that there is to do."""

    def to_the_end() -> None:
        for job in jobs():
            while work_slice(acme, job.pk):
                pass

    return to_the_end
