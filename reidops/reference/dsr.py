"""DSR's distance pair by pair, as the paper tells it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from .sparse_reconstruct import sparse_reconstruct


def dsr_distance(
    probe: Tensor | Sequence[Tensor],
    gallery: Tensor | Sequence[Tensor],
    beta: float = 0.4,
    *,
    scales: Sequence[int] = (1,),
    method: str = "lasso",
    groups: Sequence[int] | None = None,
    probe_weight: Sequence[Tensor] | None = None,
) -> Tensor:
    """Distances ``(P, K)`` of eq. 4 in float64, ``||X - YW||_F^2 / N``, for maps ``(C, h, w)``.

    K is the number of gallery images, or of labels in ``groups``, whose images share a dictionary.  ``"joint"`` has one
    dictionary for all, and leaves to each image or label its own coefficients.  ``probe_weight`` weighs the blocks.
    """
    labels = list(range(len(gallery))) if groups is None else list(groups)
    sets: dict[int, list[Tensor]] = {label: [] for label in labels}
    for label, image in zip(labels, gallery, strict=True):
        sets[label].append(block_set(image.double(), scales))
    dictionaries = [torch.cat(images, dim=1) for images in sets.values()]
    rows = []
    for i, probe_map in enumerate(probe):
        x = block_set(probe_map.double(), scales)
        if method == "joint":
            w = sparse_reconstruct(x, torch.cat(dictionaries, dim=1), beta, method="lasso")[0]
            own = w.split([y.shape[1] for y in dictionaries])
            errors = [(x - y @ part).square().sum(0) for y, part in zip(dictionaries, own, strict=True)]
        else:
            errors = [sparse_reconstruct(x, y, beta, method=method)[1] for y in dictionaries]
        m = torch.ones_like(errors[0])
        if probe_weight is not None:
            m = block_set(probe_weight[i][None].double(), scales)[0]
        rows.append(torch.stack([(m * error).sum() / m.sum() for error in errors]))
    return torch.stack(rows)


def block_set(feature_map: Tensor, scales: Sequence[int]) -> Tensor:
    """``(C, h, w)`` -> ``(C, N)``: k x k averages at stride 1 for each k that fits, pooled into one set (sec. 3.4)."""
    fitting = [k for k in scales if k <= min(feature_map.shape[-2:])]
    return torch.cat([F.avg_pool2d(feature_map[None], k, stride=1)[0].flatten(1) for k in fitting], dim=1)
