"""A matrix of 4,096 x 4,096 times a vector (`vector`), or times another (`matrix`), in NumPy and,
where it is installed, PyTorch."""

import sys

import numpy as np
from timing import median, say

N = 4096
ROUNDS = {"vector": (40, 2.0), "matrix": (3, 8.0)}


def main(part):
    random = np.random.default_rng(1)
    w = random.standard_normal((N, N), dtype=np.float32)
    x = random.standard_normal(N if part == "vector" else (N, N), dtype=np.float32)
    say("NumPy", median(lambda: w @ x, *ROUNDS[part]))
    try:
        import torch
    except ImportError:
        return
    w, x = torch.from_numpy(w), torch.from_numpy(x)
    with torch.no_grad():
        say("PyTorch", median(lambda: w @ x, *ROUNDS[part]))


main(sys.argv[1])
