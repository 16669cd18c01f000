from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from mailboxes.models import Job, Mailbox
from mailboxes.work.slices import work_slice
from tests.cast import Cast
from tests.console.kit import Visit


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
