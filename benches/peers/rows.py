"""What the Python peers share: their rows, what a row of an answer counts, and a sample's line.

Rows come from CSV files that the bench writes, so that the generator is written once.
"""

import csv
import json
import resource
from pathlib import Path


def readings(folder: Path) -> list[tuple[str, int]]:
    """Return the rows of the aggregate workload: key and value."""
    with (folder / "readings.csv").open(newline="") as file:
        lines = csv.reader(file)
        next(lines)
        return [(key, int(value)) for key, value in lines]


def sums_weight(key: str, n: int, total: int, most: int) -> int:
    """Return what a row of aggregates counts, as `sample.rs` says."""
    return (int(key[4:]) % 1009 + 1) * (n + 3 * total + 7 * most)


def report(n_rows: int, seconds: float, answer: tuple[int, int]) -> None:
    """Print the sample of a run that only loads: `answer` is the number of rows and their sum."""
    said = f"{answer[0]}/{answer[1]}"
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sample = {
        "mrows_per_s": n_rows / seconds / 1e6,
        "p50_us": 0.0,
        "p99_us": 0.0,
        "peak_mib": peak_kib / 1024,
        "loaded": said,
        "finished": said,
    }
    print(json.dumps(sample))
