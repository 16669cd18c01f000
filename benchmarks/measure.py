"""Medians of three, and the table of ratios."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

ROUNDS = 3


@dataclass(frozen=True)
class Result:
    """Two rates in the same unit, for the same work."""

    what: str
    unit: str
    ours: float
    baseline: float
    baseline_name: str

    @property
    def ratio(self) -> float:
        return self.ours / self.baseline


def compare(
    what: str,
    *,
    amount: float,
    unit: str,
    ours: Callable[[], object],
    baseline: Callable[[], object],
    baseline_name: str,
) -> Result:
    """Both in turn, so that a machine that slows down meanwhile slows both; `amount` is the work of one turn."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        seconds[0].append(_seconds(ours))
        seconds[1].append(_seconds(baseline))
    return Result(what, unit, amount / median(seconds[0]), amount / median(seconds[1]), baseline_name)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def table(results: list[Result]) -> str:
    """Plain text, one line per result."""
    rows = [("what", "ours", "baseline", "ratio", "baseline is")]
    rows += [
        (
            result.what,
            f"{result.ours:,.1f} {result.unit}",
            f"{result.baseline:,.1f} {result.unit}",
            f"{result.ratio:.3f}",
            result.baseline_name,
        )
        for result in results
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if 0 < column < 4 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
