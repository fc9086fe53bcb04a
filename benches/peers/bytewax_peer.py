"""Bytewax at the aggregate workload: `bytewax_peer.py aggregate WORKERS FOLDER`.

Bytewax keeps a state for each key and takes nothing back; its join keeps one row of a key and side,
so that the join workload cannot be said with it. The rows are in memory before the clock starts.
"""

import sys
import time
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, TestingSource, cluster_main, run_main

import rows

Sums = tuple[int, int, int]


def add(sums: Sums | None, value: int) -> tuple[Sums, Sums]:
    """Add a value to the sums of its key; they are also what is given out."""
    n, total, most = sums or (0, 0, -1)
    now = (n + 1, total + value, max(most, value))
    return now, now


def main() -> None:
    """Load the rows, and print what it took and what came out."""
    n_workers, folder = int(sys.argv[2]), Path(sys.argv[3])
    readings = rows.readings(folder)
    latest: dict[str, Sums] = {}

    def keep(row: tuple[str, Sums]) -> bool:
        latest[row[0]] = row[1]
        return False

    flow = Dataflow("aggregate")
    stream = op.input("readings", flow, TestingSource(readings, batch_size=1000))
    sums = op.stateful_map("sum", stream, add)
    op.output("sums", op.filter("keep", sums, keep), TestingSink([]))

    start = time.perf_counter()
    if n_workers == 1:
        run_main(flow)
    else:
        cluster_main(flow, [], 0, worker_count_per_proc=n_workers)
    seconds = time.perf_counter() - start
    weight = sum(rows.sums_weight(key, *sums) for key, sums in latest.items())
    rows.report(len(readings), seconds, (len(latest), weight))


if __name__ == "__main__":
    main()
