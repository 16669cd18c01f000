"""Says at the end of a test run how much the two walls have tried. Runs where the summary is written: not in a worker."""

from typing import Any

import pytest

KEY, VERBS_KEY = "wall", "wall of verbs"
_printed = pytest.StashKey[bool]()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if terminalreporter.config.stash.get(_printed, False):
        return
    terminalreporter.config.stash[_printed] = True
    if tried := _told(terminalreporter, KEY):
        urls, pairs, requests = tried
        terminalreporter.write_line(
            f"The wall: {urls} URLs of both hosts, {pairs} pairs of URL and person, {requests} requests."
        )
    if tried := _told(terminalreporter, VERBS_KEY):
        verbs, calls = tried
        terminalreporter.write_line(f"The wall of verbs: {verbs} lines of verbs, {calls} calls.")


def _told(terminalreporter: Any, key: str) -> list[int]:
    """The sums of what the tests have told, or nothing when none of them ran."""
    done = terminalreporter.stats.get("passed", []) + terminalreporter.stats.get("failed", [])
    tried = [value for report in done for name, value in report.user_properties if name == key]
    return [sum(numbers) for numbers in zip(*tried, strict=True)]
