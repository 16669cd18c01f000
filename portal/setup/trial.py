"""Whether answers are right: tried by a process that has nothing else for its settings, as the portal's will be started."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from portal.doctor.findings import Finding, Level

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120


def tried(
    values: Mapping[str, str], parts: Sequence[str], *, addresses: Sequence[str] = (), mail_to: str = ""
) -> tuple[list[Finding], list[dict[str, Any]]]:
    """What these parts find with these settings, and the DNS records wanted if names are among them."""
    asked = subprocess.run(
        [sys.executable, "-m", "portal.setup", *parts],
        cwd=ROOT,
        env={**os.environ, **values},  # so that no secret is in a list of processes
        input=json.dumps({"addresses": list(addresses), "mail_to": mail_to}),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if asked.returncode:
        last = asked.stderr.strip().splitlines()[-1:] or ["it ended"]
        return [Finding("setup", Level.ERROR, f"The answers can't be tried: {last[0]}")], []
    answer = json.loads(asked.stdout)
    return [Finding(**{**each, "level": Level(each["level"])}) for each in answer["findings"]], answer[
        "records"
    ]
