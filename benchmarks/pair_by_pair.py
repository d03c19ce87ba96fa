"""DSR as public code computes it: a ranking by pooled features, then ridge, pair by pair, for each probe's nearest.

The plan is that of the first release inside fast-reid (`get_dsr_dist`), written anew: the matrix
(Y'Y + kappa I)^-1 Y' of each gallery image is made once, and every pair is two products of its own. The distance is
the mean norm of the residuals, not squared. Max-pooled blocks, foreground weights and the fusion with the cosine
distance, which that code has besides, are left out: both sides are compared on the same blocks.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

KAPPA = 0.001
NEAREST = 100


@torch.inference_mode()
def ridge_distances(
    probe: Sequence[Tensor], gallery: Sequence[Tensor], kappa: float = KAPPA, nearest: int = NEAREST
) -> Tensor:
    """``(P, G)`` mean residual norms of maps ``(C, h, w)``; infinite beyond a probe's nearest images by cosine."""
    cosine = _pooled(probe) @ _pooled(gallery).mT
    columns = [one.flatten(1) for one in gallery]
    projections = [torch.linalg.inv(y.mT @ y + kappa * torch.eye(y.shape[1])) @ y.mT for y in columns]
    distances = torch.full(cosine.shape, torch.inf)
    ranked = cosine.argsort(dim=1, descending=True)[:, :nearest].tolist()
    for i, images in enumerate(ranked):
        x = probe[i].flatten(1)
        for j in images:
            residual = columns[j] @ (projections[j] @ x) - x
            distances[i, j] = residual.norm(dim=0).mean()
    return distances


def _pooled(maps: Sequence[Tensor]) -> Tensor:
    return F.normalize(torch.stack([one.mean(dim=(1, 2)) for one in maps]), dim=1)
