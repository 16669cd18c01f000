"""The machine on which an installation is tried, with a world around it (world.py)."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.onebox.embedded.process import wait_until
from tests.image.machine import Machine, refusal
from tests.image.world import ADDRESS, FOLDER

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120


@pytest.fixture
def machine() -> Iterator[Machine]:
    if why := refusal():
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    machine = Machine(ADDRESS)
    outside = None
    try:
        (machine.root / FOLDER[1:]).mkdir()
        log = (machine.root / "srv/world.log").open("wb")
        words = machine.inside(sys.executable, "-m", "tests.image.world")
        words[words.index("-i") : words.index("-i") + 1] = ["-i", f"--chdir={ROOT}", "CI=1"]
        outside = subprocess.Popen(words, stdout=log, stderr=log)
        ready = machine.root / FOLDER[1:] / "ready.json"
        assert wait_until(ready.exists, SECONDS), (machine.root / "srv/world.log").read_text()
        # Whose authorities the machine trusts: that of mail server and services, and that of certificates on demand.
        machine.run(
            f"""set -e; trusted=/usr/local/share/ca-certificates
            cp {FOLDER}/ca.pem $trusted/world.crt
            curl --silent --show-error --fail --retry 20 --retry-connrefused --retry-delay 1 --cacert {FOLDER}/ca.pem \\
              --output $trusted/authority.crt https://localhost:15000/roots/0
            update-ca-certificates > /dev/null 2>&1"""
        )
        yield machine
    finally:
        if outside:
            outside.kill()
            outside.wait()
        machine.stop()
