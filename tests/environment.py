"""A pytest plugin: the services and the environment of a test run, made before any settings are read.

The controller starts PostgreSQL and Redis of its own, unless DATABASE_URL and REDIS_URL name others; the workers
of pytest-xdist inherit them and keep to a database each. GATEHOUSE_TEST_CLUSTER names the coordinator of a Citus cluster
instead (tests/breaking/test_cluster.py): databases of ours come and go on each of its nodes.
"""

import base64
import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

os.environ["DJANGO_SETTINGS_MODULE"] = (
    "tests.settings"  # before `portal` is imported, which would name its own
)

from portal.onebox.embedded import postgres, redis
from tests import citus, folders

_started: list[Any] = []
_state_dir: Path | None = None


def _prepare() -> None:
    global _state_dir
    folders.sweep()
    _state_dir = folders.make("test-")
    if sys.dont_write_bytecode:
        # Else each process that a test starts would compile all that it imports, which takes longer than the rest of its start.
        sys.dont_write_bytecode = False
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(_state_dir / "compiled")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["GATEHOUSE_STATE_DIR"] = str(_state_dir)
    os.environ["SECRET_KEY"] = secrets.token_urlsafe(48)
    os.environ["GATEHOUSE_WORKER_KEY"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    for name in [name for name in os.environ if name.startswith("GATEHOUSE_") and name.endswith("_PORT")]:
        del os.environ[name]  # the tests' own ports are the system's choice
    os.environ["GATEHOUSE_TEST_RUN"] = secrets.token_hex(4)
    if citus.URL:
        os.environ["DATABASE_URL"] = citus.URL
    if programs := os.environ.get("GATEHOUSE_TEST_POSTGRES"):
        from tests.outside import Outside

        services = Outside(_state_dir / "outside", Path(programs))
        _started.append(services)
        os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = services.database_url, services.redis_url
    if "DATABASE_URL" not in os.environ:
        _started.append(server := postgres.start(_state_dir, durable=False))
        os.environ["DATABASE_URL"] = server.url
    if "REDIS_URL" not in os.environ:
        _started.append(server := redis.start(_state_dir, durable=False))
        os.environ["REDIS_URL"] = server.url


if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    parts = urlsplit(os.environ["REDIS_URL"])
    number = int(worker.removeprefix("gw")) + 1
    os.environ["REDIS_URL"] = (
        f"unix://{parts.path}?db={number}"  # urlunsplit leaves the two slashes out
        if parts.scheme == "unix"
        else urlunsplit(parts._replace(path=f"/{number}"))
    )
else:
    _prepare()

# All that a process of ours gets which is to know nothing of this run but its programs.
BARE = {name: os.environ[name] for name in ("PATH", "PYTHONPYCACHEPREFIX") if name in os.environ}


def pytest_unconfigure(config: pytest.Config) -> None:
    if _state_dir and citus.URL:
        citus.sweep(os.environ["GATEHOUSE_TEST_RUN"])
    while _started:
        _started.pop().stop()
    if _state_dir:
        shutil.rmtree(_state_dir, ignore_errors=True)
