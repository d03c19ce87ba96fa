r"""Query expansion: a probe that is averaged with its nearest gallery images (Chum et al., "Total Recall", ICCV 2007).

With descriptors, the descriptor of a probe becomes the mean of its own and those of its k nearest gallery images, each
weighted by the cosine to the power of alpha (Radenovic, Tolias, Chum, TPAMI 2019). The plain average (AQE) has alpha 0.

Where there are distances only, the distances are averaged: d'(p, g) = 1 / (k + 1) (d(p, g) + sum_q d(q, g)) over the
k gallery images q nearest to p.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from reidops_models.reranking.neighbours import Array, as_array

ROWS = 256  # probes whose cosines to the gallery are there at a time

Rows = Callable[[Array], "Array | Tensor"]  # (n, G) distances of n gallery images, as probes, to the gallery


def expand_descriptors(probes: Tensor, gallery: Tensor, k: int = 5, alpha: float = 0.0) -> Tensor:
    """Probes averaged with their nearest gallery images.

    Args:
        probes: (P, C) descriptors; all are brought to unit length.
        gallery: (G, C).
        k: gallery images that are averaged; with k of G or more all are. 0 leaves the probes as they are.
        alpha: 0 or more; the weight of a gallery image is its cosine to the power of alpha, 0 for a negative cosine
            where alpha is above 0. The probe's own weight is 1.

    Returns:
        (P, C) of unit length.

    Raises:
        ValueError: shapes do not fit, or k or alpha is negative.

    Example:
        >>> probe, gallery = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.6, 0.8], [-1.0, 0.0]])
        >>> expand_descriptors(probe, gallery, k=1).mul(10).round()
        tensor([[9., 4.]])
    """
    if probes.ndim != 2 or gallery.ndim != 2 or probes.shape[1] != gallery.shape[1]:
        shapes = f"{tuple(probes.shape)} and {tuple(gallery.shape)}"
        raise ValueError(f"expand_descriptors: expected descriptors (P, C) and (G, C), got {shapes}")
    _check("expand_descriptors", k)
    if alpha < 0:
        raise ValueError(f"expand_descriptors: alpha must be 0 or more, got {alpha}")
    left, right = F.normalize(probes, dim=1), F.normalize(gallery, dim=1)
    k = min(k, len(right))
    expanded = [torch.zeros_like(left[:0])]
    for some in left.split(ROWS):
        cosine, nearest = (some @ right.mT).topk(k, dim=1)
        weights = cosine.clamp(min=0).pow(alpha) if alpha else torch.ones_like(cosine)
        expanded.append(F.normalize(some + (weights[..., None] * right[nearest]).sum(dim=1), dim=1))
    return torch.cat(expanded)


def expand_distances(distances: Array | Tensor, gallery: Rows | Array | Tensor, k: int = 5) -> Array:
    """Distances averaged over each probe and its nearest gallery images.

    Args:
        distances: (P, G) of some probes; a block of all probes serves, because no probe looks at another.
        gallery: a function that gives the distances (n, G) of gallery images, by their places (n,), to the gallery; or
            the matrix (G, G). At most P k of its rows are asked for, each once.
        k: gallery images that are averaged with a probe; 0 leaves the distances as they are.

    Returns:
        (P, G) float64.

    Raises:
        ValueError: shapes do not fit, or k is negative.

    Example:
        >>> expand_distances(np.array([[1.0, 4.0]]), np.array([[0.0, 2.0], [2.0, 0.0]]), k=1).tolist()
        [[0.5, 3.0]]
    """
    given = as_array(distances)
    _check("expand_distances", k)
    if given.ndim != 2:
        raise ValueError(f"expand_distances: expected distances (P, G), got an array of shape {given.shape}")
    k = min(k, given.shape[1])
    if not k or not len(given):
        return given
    nearest = np.argsort(given, axis=1, kind="stable")[:, :k]
    needed, places = np.unique(nearest, return_inverse=True)
    rows = as_array(gallery(needed) if callable(gallery) else gallery[needed])
    if rows.shape != (len(needed), given.shape[1]):
        expected = (len(needed), given.shape[1])
        raise ValueError(f"expand_distances: expected distances of shape {expected} in the gallery, got {rows.shape}")
    places = places.reshape(nearest.shape)
    total = given.copy()
    for column in places.T:
        total += rows[column]
    return total / (k + 1)


def _check(op: str, k: int) -> None:
    if k < 0:
        raise ValueError(f"{op}: k must be 0 or more, got {k}")
