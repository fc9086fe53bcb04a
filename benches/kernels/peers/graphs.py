"""Shortest paths, components and ranks of a graph in SciPy: `paths`, `components` or `ranks`, and a
file of edges. Its matrix is built outside of the measured time."""

import sys

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from timing import median, say

N_VERTICES = 1 << 17
DAMPING = 0.85


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


def paths(path):
    src, dst, weight = edges(path)
    matrix = sp.csr_matrix((weight, (src, dst)), shape=(N_VERTICES, N_VERTICES))
    say("SciPy, Dijkstra", median(lambda: csgraph.dijkstra(matrix, indices=0)))


def components(path):
    src, dst, weight = edges(path)
    matrix = sp.csr_matrix((weight, (src, dst)), shape=(N_VERTICES, N_VERTICES))
    run = lambda: csgraph.connected_components(matrix, directed=False)  # noqa: E731
    say("SciPy, connected components", median(run))


def ranks(path):
    src, dst, _ = edges(path)
    ones = sp.csr_matrix((np.ones(len(src)), (src, dst)), shape=(N_VERTICES, N_VERTICES))
    degrees = np.asarray(ones.sum(1)).ravel()
    shares = np.divide(DAMPING, degrees, out=np.zeros(N_VERTICES), where=degrees > 0)
    transposed = ones.T.tocsr()
    for tolerance in (1e-3, 1e-6):
        warm = power(transposed, shares, np.ones(N_VERTICES), tolerance)
        seconds = median(lambda: power(transposed, shares, warm, tolerance))
        say(f"SciPy, warm power sweeps to {tolerance:g}, nothing changed", seconds)


PARTS = {"paths": paths, "components": components, "ranks": ranks}

if __name__ == "__main__":
    PARTS[sys.argv[1]](sys.argv[2])
