"""k-reciprocal re-ranking straight from the paper's equations: sets, loops and dense matrices. An oracle."""

from __future__ import annotations

import numpy as np


def nearest(distances: np.ndarray, i: int, k: int) -> list[int]:
    """N(i, k): i itself, then its k nearest others; equal distances by index."""
    others = sorted((distances[i, j], j) for j in range(len(distances)) if j != i and np.isfinite(distances[i, j]))
    return [i, *(j for _, j in others[:k])]


def reciprocal(distances: np.ndarray, i: int, k: int) -> set[int]:
    """Eq. 2."""
    return {j for j in nearest(distances, i, k) if i in nearest(distances, j, k)}


def jaccard_distances(distances: np.ndarray, probes: int, k1: int, k2: int, unit: float) -> np.ndarray:
    """Eq. 3, 7, 11 and 10: (P, G)."""
    count = len(distances)
    vectors = np.zeros((count, count))
    for i in range(count):
        star = set(reciprocal(distances, i, k1))
        for j in reciprocal(distances, i, k1):
            other = reciprocal(distances, j, (k1 + 1) // 2)
            if len(reciprocal(distances, i, k1) & other) * 3 >= 2 * len(other):
                star |= other
        for j in star:
            vectors[i, j] = np.exp(-distances[i, j] / unit) if i != j else 1.0
    vectors = np.stack([vectors[nearest(distances, i, k2 - 1)].mean(axis=0) for i in range(count)])
    table = np.zeros((probes, count - probes))
    for p in range(probes):
        for g in range(probes, count):
            shared = np.minimum(vectors[p], vectors[g]).sum()
            table[p, g - probes] = 1 - shared / np.maximum(vectors[p], vectors[g]).sum()
    return table


def final_distances(distances: np.ndarray, probes: int, k1: int, k2: int, unit: float, weight: float) -> np.ndarray:
    """Eq. 12: (P, G)."""
    own = distances[:probes, probes:] / unit
    return (1 - weight) * jaccard_distances(distances, probes, k1, k2, unit) + weight * own


def final_distances_to_gallery(
    distances: np.ndarray, back: np.ndarray, gallery: np.ndarray, k1: int, k2: int, unit: float, weight: float
) -> np.ndarray:
    """Eq. 12 with neighbours from the gallery alone: of one probe, d(p, g) (G,) and d(g, p) (G,), and (G, G)."""
    count, half = len(gallery), (k1 + 1) // 2
    plain = np.zeros((count, count))
    for i in range(count):
        star = set(reciprocal(gallery, i, k1))
        for j in reciprocal(gallery, i, k1):
            other = reciprocal(gallery, j, half)
            if len(reciprocal(gallery, i, k1) & other) * 3 >= 2 * len(other):
                star |= other
        for j in star:
            plain[i, j] = np.exp(-gallery[i, j] / unit) if i != j else 1.0
    averaged = np.stack([plain[nearest(gallery, i, k2 - 1)].mean(axis=0) for i in range(count)])

    order = sorted((distances[g], g) for g in range(count))
    near = set()
    for _, g in order[:k1]:
        others = sorted(gallery[g, j] for j in range(count) if j != g)
        if len(others) <= k1 or back[g] <= others[k1 - 1]:
            near.add(g)
    star = set(near)
    for q in near:
        other = reciprocal(gallery, q, half)
        if len(near & other) * 3 >= 2 * len(other):
            star |= other
    own = np.array([np.exp(-distances[j] / unit) if j in star else 0.0 for j in range(count)])
    own = np.mean([own, *(plain[g] for _, g in order[: k2 - 1])], axis=0)
    shared, union = np.minimum(own, averaged).sum(axis=1), np.maximum(own, averaged).sum(axis=1)
    return (1 - weight) * (1 - shared / union) + weight * distances / unit
