"""What NumPy, and PyTorch where it is installed, take for full recomputation.

Run as `python peers.py linear`; prints `NAME SECONDS` lines, medians. `cargo xtask bench kernels`
runs it; each kernel adds a function to `PARTS`.
"""

import sys
import time

import numpy as np


def median(run, count, seconds_max=8.0):
    """Median seconds of `run` after a round that does not count."""
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


def linear():
    """A matrix of 4,096 x 4,096 times a vector, and times another."""
    n = 4096
    random = np.random.default_rng(1)
    w = random.standard_normal((n, n), dtype=np.float32)
    x = random.standard_normal(n, dtype=np.float32)
    many = random.standard_normal((n, n), dtype=np.float32)
    yield "numpy_gemv", median(lambda: w @ x, 40, 2.0)
    yield "numpy_gemm", median(lambda: w @ many, 3)
    try:
        import torch
    except ImportError:
        return
    w, x, many = (torch.from_numpy(array) for array in (w, x, many))
    with torch.no_grad():
        yield "torch_gemv", median(lambda: w @ x, 40, 2.0)
        yield "torch_gemm", median(lambda: w @ many, 3)


def nystrom():
    """Regression over 16,384 points of 8 entries and 256 landmarks, and 1,024 answers."""
    n, m, d, n_queries = 16384, 256, 8, 1024
    random = np.random.default_rng(1)
    x, queries = random.standard_normal((n, d)), random.standard_normal((n_queries, d))
    landmarks, y = x[:m], np.sin(x.sum(1))

    def likeness(points):
        squares = (points * points).sum(1)[:, None] + (landmarks * landmarks).sum(1)
        return np.exp(-0.1 * np.maximum(squares - 2.0 * (points @ landmarks.T), 0.0))

    def full():
        c = likeness(x)
        a = c.T @ c + 1e-3 * (likeness(landmarks) + 2.0**-20 * np.eye(m))
        return likeness(queries) @ np.linalg.solve(a, c.T @ y)

    yield "numpy_nystrom", median(full, 20, 3.0)


PARTS = {"linear": linear, "nystrom": nystrom}

if __name__ == "__main__":
    for name, seconds in PARTS[sys.argv[1]]():
        print(name, f"{seconds:.9f}")
