"""How the peers are timed, and what they print: `SECONDS NAME` lines."""

import time


def median(run, count=7, seconds_max=8.0):
    """Median seconds of `run`, after a round that does not count."""
    run()
    times = []
    start = time.perf_counter()
    for _ in range(count):
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
        if seconds_max < time.perf_counter() - start:
            break
    return sorted(times)[len(times) // 2]


def say(name, seconds):
    """One side's figure."""
    print(f"{seconds:.9f} {name}", flush=True)
