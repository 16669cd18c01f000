"""The post: what workers mail while a block runs, as the recipients get it. And somebody with an authenticator app."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from celery import current_app

from tests.accounts.factors import Clock, sets_up_an_app


class Post:
    """Runs the tasks that are rung for, on the spot, and keeps what they send."""

    def __init__(self, outbox: list[Any], on_commit: Any) -> None:
        self._outbox, self._on_commit = outbox, on_commit

    @contextmanager
    def of(self) -> Iterator[list[Any]]:
        """The mails of what is done inside; complete when the block has ended."""
        before, sent = len(self._outbox), []
        with self._on_commit(execute=True):
            yield sent
        sent += self._outbox[before:]


@pytest.fixture
def post(mailoutbox: list[Any], django_capture_on_commit_callbacks: Any) -> Iterator[Post]:
    conf = current_app.conf
    before = conf.task_always_eager, conf.task_eager_propagates
    conf.task_always_eager = conf.task_eager_propagates = True
    yield Post(mailoutbox, django_capture_on_commit_callbacks)
    conf.task_always_eager, conf.task_eager_propagates = before


@pytest.fixture
def with_app(cast: Any, client_for: Any, clock: Clock) -> str:
    """Acme's admin with an authenticator app; gives the app's secret."""
    return sets_up_an_app(client_for(cast.admin), clock)
