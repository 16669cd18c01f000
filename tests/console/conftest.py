from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from mailboxes.models import Mailbox
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
