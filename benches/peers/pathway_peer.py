"""Pathway at the aggregate and the join workload: `pathway_peer.py WORK WORKERS FOLDER`.

Pathway reads CSV files itself, so that its time has the reading of them in it, and its start. The
number of threads is what PATHWAY_THREADS says, which the bench sets.
"""

import sys
import time
from pathlib import Path
from typing import Any

import pathway as pw

import rows


class Reading(pw.Schema):
    """A row of the aggregate workload."""

    key: str
    value: int


class Left(pw.Schema):
    """A row of the join's left side."""

    key: str
    amount: int


class Right(pw.Schema):
    """A row of the join's right side."""

    key: str
    label: str


def aggregate(folder: Path) -> pw.Table:
    """Count, sum and max per key."""
    readings = pw.io.csv.read(folder / "readings.csv", schema=Reading, mode="static")
    return readings.groupby(readings.key).reduce(
        key=readings.key,
        n=pw.reducers.count(),
        total=pw.reducers.sum(readings.value),
        most=pw.reducers.max(readings.value),
    )


def join(folder: Path) -> pw.Table:
    """Join on the key, then count and sum per group."""
    left = pw.io.csv.read(folder / "left.csv", schema=Left, mode="static")
    right = pw.io.csv.read(folder / "right.csv", schema=Right, mode="static")
    pairs = left.join(right, left.key == right.key).select(right.label, left.amount)
    return pairs.groupby(pairs.label).reduce(
        key=pairs.label,
        n=pw.reducers.count(),
        total=pw.reducers.sum(pairs.amount),
        most=0,
    )


def main() -> None:
    """Load the rows, and print what it took and what came out."""
    work, folder = sys.argv[1], Path(sys.argv[3])
    names = {"aggregate": ["readings"], "join": ["left", "right"]}[work]
    n_rows = sum(count_lines(folder / f"{name}.csv") - 1 for name in names)
    answer = [0, 0]

    def take(key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:
        diff = 1 if is_addition else -1
        weight = rows.sums_weight(row["key"], row["n"], row["total"], row["most"])
        answer[0] += diff
        answer[1] += diff * weight

    start = time.perf_counter()
    sums = aggregate(folder) if work == "aggregate" else join(folder)
    pw.io.subscribe(sums, on_change=take)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    rows.report(n_rows, time.perf_counter() - start, (answer[0], answer[1]))


def count_lines(path: Path) -> int:
    """Return how many lines a file has."""
    with path.open("rb") as file:
        return sum(1 for _ in file)


if __name__ == "__main__":
    main()
