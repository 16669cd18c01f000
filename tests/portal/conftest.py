from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.onebox.embedded import postgres
from tests import folders


@pytest.fixture(scope="module")
def own_folder() -> Iterator[Path]:
    with folders.folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def own_server(own_folder: Path) -> Iterator[postgres.Postgres]:
    """A PostgreSQL whose roles and settings may be changed, for the tests of a module."""
    server = postgres.start(own_folder / "state", durable=False)
    yield server
    server.stop()
