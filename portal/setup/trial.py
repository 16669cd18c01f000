"""Whether answers are right: tried by a process that has nothing else for its settings, as the portal's will be started."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from portal.doctor.findings import Finding, Level

ROOT = Path(__file__).resolve().parents[2]
# What of our own environment is the machine's, and no answer.
OF_MACHINE = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
SECONDS = 120


class NotTried(Exception):
    """The answers may be right or wrong: nobody knows."""


@dataclass(frozen=True)
class Outcome:
    """`impossible` is what settings can't be, whatever services say; then nothing else was tried."""

    impossible: list[Finding]
    findings: list[Finding]
    records: list[dict[str, Any]]


class Trials:
    """The process that tries, as long as answers come."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._end()

    def tried(
        self,
        values: Mapping[str, str],
        parts: Sequence[str],
        *,
        addresses: Sequence[str] = (),
        mail_to: str = "",
        seconds: int = SECONDS,
    ) -> Outcome:
        """What these parts find with these settings, and the DNS records wanted if names are among them. Raises NotTried."""
        machine = _of_machine()
        asked = {
            "environment": {**machine, **values},
            "parts": list(parts),
            "addresses": list(addresses),
            "mail_to": mail_to,
            "seconds": seconds,
        }
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "portal.setup"],
                cwd=ROOT,
                env=machine,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # so that it ends with all that it has forked
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            # By a pipe, so that no secret is in a list of processes.
            self._process.stdin.write(json.dumps(asked) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError) as error:
            self._end()
            raise NotTried("The answers can't be tried: the process that tries them has ended.") from error
        if "failed" in answer:
            raise NotTried(f"The answers can't be tried: {answer['failed']}.")
        return Outcome(_findings(answer["impossible"]), _findings(answer["findings"]), answer["records"])

    def _end(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
        self._process = None


def _of_machine() -> dict[str, str]:
    return {name: os.environ[name] for name in OF_MACHINE if name in os.environ}


def _findings(told: Sequence[Mapping[str, Any]]) -> list[Finding]:
    return [Finding(**{**each, "level": Level(each["level"])}) for each in told]
