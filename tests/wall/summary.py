"""Says at the end of a test run how much the wall has tried. Runs where the summary is written: not in a worker."""

from typing import Any

import pytest

KEY = "wall"
_printed = pytest.StashKey[bool]()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if terminalreporter.config.stash.get(_printed, False):
        return
    terminalreporter.config.stash[_printed] = True
    passed = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    tried = [value for report in passed for name, value in report.user_properties if name == KEY]
    if tried:
        urls, pairs, requests = (sum(numbers) for numbers in zip(*tried, strict=True))
        terminalreporter.write_line(
            f"The wall: {urls} URLs of both hosts, {pairs} pairs of URL and person, {requests} requests."
        )
