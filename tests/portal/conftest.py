import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def state_dir():
    """A state directory with a path short enough for sockets, which pytest's own need not be."""
    folder = Path(tempfile.mkdtemp(prefix="gh-"))
    yield folder / "state"
    shutil.rmtree(folder, ignore_errors=True)
