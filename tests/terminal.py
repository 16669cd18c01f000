"""A person at a terminal, in which a command of `manage.py` runs: who reads what it asks, and types."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60


class Terminal:
    """A person's, in which a command runs."""

    def __init__(self, *arguments, **environment):
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            # Whoever runs the tests in the background ignores Ctrl-C, and so would what they start.
            ["env", "--default-signal=INT", "setsid", "--ctty", "--wait"]
            + [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self.said, self._read = "", 0

    def answers(self, question, text):
        """Waits for the question, among what is new, and types; surrogates are odd octets."""
        self.hears(question)
        os.write(self._master, f"{text}\n".encode(errors="surrogateescape"))

    def hears(self, words):
        deadline = time.monotonic() + SECONDS
        while words not in self.said[self._read :]:
            ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"“{words}” is not said: {self.said[self._read :]}"
            try:
                self.said += os.read(self._master, 65536).decode(errors="replace").replace("\r\n", "\n")
            except OSError:  # it has ended
                pytest.fail(f"“{words}” is not said: {self.said[self._read :]}")
        self._read = self.said.index(words, self._read) + len(words)

    def ends(self):
        try:
            while octets := os.read(self._master, 65536):
                self.said += octets.decode().replace("\r\n", "\n")
        except OSError:
            pass
        os.close(self._master)
        return self.process.wait(SECONDS)
