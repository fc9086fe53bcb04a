"""Attention over random features in NumPy, in full: whole arrays, and in blocks that stay in cache."""

import numpy as np
from timing import median, say

HEADS, N, D, M, BLOCK = 8, 16384, 64, 256, 2048


def features(x, w):
    return np.exp(x @ w - 0.5 * (x * x).sum(-1, keepdims=True))


def whole(q, k, v, w, o):
    for h in range(HEADS):
        of_k = features(k[h], w[h])
        s, z = of_k.T @ v[h], of_k.sum(0)
        of_q = features(q[h], w[h])
        o[h] = (of_q @ s) / (of_q @ z)[:, None]


def blocks(q, k, v, w, o):
    for h in range(HEADS):
        s, z = np.zeros((M, D), np.float32), np.zeros(M, np.float32)
        for b in range(0, N, BLOCK):
            of_k = features(k[h, b : b + BLOCK], w[h])
            s += of_k.T @ v[h, b : b + BLOCK]
            z += of_k.sum(0)
        for b in range(0, N, BLOCK):
            of_q = features(q[h, b : b + BLOCK], w[h])
            o[h, b : b + BLOCK] = (of_q @ s) / (of_q @ z)[:, None]


def main():
    random = np.random.default_rng(1)
    draw = lambda *shape: random.standard_normal(shape, np.float32)
    q, k, v = draw(HEADS, N, D) / D**0.25, draw(HEADS, N, D) / D**0.25, draw(HEADS, N, D)
    q, k = q.astype(np.float32), k.astype(np.float32)
    w, o = draw(HEADS, D, M), np.empty((HEADS, N, D), np.float32)
    say("NumPy, whole arrays", median(lambda: whole(q, k, v, w, o), 5))
    say("NumPy, in blocks", median(lambda: blocks(q, k, v, w, o), 5))


main()
