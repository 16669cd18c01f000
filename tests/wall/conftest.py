import gc
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.utils import timezone

from tests.wall import summary
from tests.wall.scene import Scene, build, undone
from tests.wall.summary import pytest_terminal_summary  # noqa: F401 - a hook, for runs without `-p`


@pytest.fixture(scope="module")
def _stage(django_db_setup: None, django_db_blocker: Any) -> Iterator[Scene]:
    """Set up once for all tests of a module, which would otherwise take longer over this than over their work."""
    with django_db_blocker.unblock(), undone():
        yield build()


@pytest.fixture
def scene(_stage: Scene, settings: Any) -> Iterator[Scene]:
    """Everybody and everything, untouched by the test before. Quick: there is no garbage to look for and no log."""
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = (
        3600  # they signed in before the first test, on a slow machine long ago
    )
    settings.CACHES = settings.CACHES | {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    }
    logging.disable(logging.WARNING)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        with undone():
            # Or each request, of which nothing is kept, would note anew that the session is in use.
            UserSession.objects.update(last_seen_at=timezone.now() + timedelta(hours=1))
            yield _stage
    finally:
        gc.enable()
        gc.unfreeze()
        logging.disable(logging.NOTSET)


@pytest.fixture
def counted(record_property: Callable[[str, Any], None]) -> Callable[[int, int, int], None]:
    """Tell how many URLs, pairs of URL and person, and requests were tried, for the line at the end of the run."""

    def tell(urls: int, pairs: int, requests: int) -> None:
        record_property(summary.KEY, [urls, pairs, requests])

    return tell


@pytest.fixture
def verbs_tried(record_property: Callable[[str, Any], None]) -> Callable[[int, int], None]:
    """Tell how many verbs, and calls of them, were tried."""

    def tell(verbs: int, calls: int) -> None:
        record_property(summary.VERBS_KEY, [verbs, calls])

    return tell
