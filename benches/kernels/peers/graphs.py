"""What NumPy and SciPy need for what `graphs` and `grids` measure.

`python benches/kernels/peers/graphs.py EDGES`, where `graphs edges EDGES` wrote the file; needs numpy
and scipy.
"""

import sys
import time

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

N_VERTICES = 1 << 17
DAMPING = 0.85
SIDE = 2048


def median(run, rounds=7):
    """Median milliseconds after a first run that does not count."""
    run()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return sorted(times)[rounds // 2] * 1e3


def edges(path):
    """Both ends of each edge, and its weight."""
    both = np.fromfile(path, np.uint32).reshape(-1, 2).astype(np.uint64)
    src, dst = both[:, 0], both[:, 1]
    hashed = (src * np.uint64(0x9E3779B97F4A7C15)) ^ (dst * np.uint64(0xC2B2AE3D27D4EB4F))
    weight = (hashed >> np.uint64(40)) % np.uint64(16) + np.uint64(1)
    return src.astype(np.int64), dst.astype(np.int64), weight.astype(float)


def power(transposed, shares, start, tolerance):
    """Sweeps from `start` until the certificate is within the tolerance."""
    ranks = start
    while True:
        following = transposed @ (ranks * shares) + (1 - DAMPING)
        change = np.abs(following - ranks).sum()
        ranks = following
        if 2 * DAMPING * change / ((1 - DAMPING) * ranks.sum()) <= tolerance:
            return ranks


def graphs(path):
    """Shortest paths, components, ranks."""
    src, dst, weight = edges(path)
    shape = (N_VERTICES, N_VERTICES)
    matrix = sp.csr_matrix((weight, (src, dst)), shape=shape)
    print(f"scipy dijkstra {median(lambda: csgraph.dijkstra(matrix, indices=0)):.1f} ms")
    run = lambda: csgraph.connected_components(matrix, directed=False)  # noqa: E731
    print(f"scipy connected_components {median(run):.1f} ms")
    ones = sp.csr_matrix((np.ones(len(src)), (src, dst)), shape=shape)
    degrees = np.asarray(ones.sum(1)).ravel()
    shares = np.divide(DAMPING, degrees, out=np.zeros(N_VERTICES), where=degrees > 0)
    transposed = ones.T.tocsr()
    for tolerance in (1e-3, 1e-6):
        cold = np.ones(N_VERTICES)
        warm = power(transposed, shares, cold, tolerance)
        times = [median(lambda: power(transposed, shares, at, tolerance)) for at in (cold, warm)]
        print(f"scipy power to {tolerance:.0e}: cold {times[0]:.1f} ms, warm {times[1]:.1f} ms")


def grids():
    """A step of heat, by slices."""
    now = np.zeros((SIDE + 2, SIDE + 2))
    now[900:1100, 900:1100] = 0.5
    following = now.copy()

    def step():
        mid = now[1:-1, 1:-1]
        total = now[1:-1, :-2] + now[1:-1, 2:] + now[:-2, 1:-1] + now[2:, 1:-1]
        following[1:-1, 1:-1] = mid + 0.2 * (total - 4 * mid)

    print(f"numpy heat step {median(step):.1f} ms")


if __name__ == "__main__":
    graphs(sys.argv[1])
    grids()
