"""What CSN learns from: eq. 3 (`torch.nn.functional.cross_entropy`), eq. 4, and the prior of the parts (sec. 4.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

MIN_SCALE = 0.1


def contrastive_loss(one: Tensor, other: Tensor, matched: Tensor, *, margin: float = 1.0) -> Tensor:
    r"""L_ctr, eq. 4: :math:`\frac{1}{2m} \sum y d^2 + (1 - y) \max(0, \alpha - d)^2`, with d of eq. 5.

    Args:
        one, other: (m, 256) vectors of the pairs' images.
        matched: (m,) bool, y.
        margin: alpha.

    Raises:
        ValueError: shapes that do not match.

    Example:
        >>> same, far = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.6, 0.0]])
        >>> contrastive_loss(same, far, torch.tensor([True])), contrastive_loss(same, far, torch.tensor([False]))
        (tensor(0.1800), tensor(0.0800))
    """
    if one.shape != other.shape or matched.shape != one.shape[:1]:
        raise ValueError(
            f"contrastive_loss: expected vectors (m, D), (m, D) and matched (m,), got {tuple(one.shape)}, "
            f"{tuple(other.shape)} and {tuple(matched.shape)}"
        )
    d = distances(one, other)
    return torch.where(matched, d.square(), (margin - d).clamp(min=0).square()).mean() / 2


def distances(one: Tensor, other: Tensor) -> Tensor:
    """d of eq. 5, (*B) of vectors (*B, 256); batch dimensions broadcast. Its gradient is 0 where d is."""
    return torch.linalg.vector_norm(one - other, dim=-1)


def prior_losses(theta: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    r"""Sec. 4.2: what keeps scales positive and parts inside their stripes, and the L1 norm of the rotation.

    The corners of a part lie at :math:`t \pm s \pm r` along either axis. The first value is the mean over parts of
    :math:`\max(0, 0.1 - s) + \max(0, |s| + |r| + |t| - 1)`, summed over both axes; the second that of
    :math:`|r_w| + |r_h|`.

    Args:
        theta: (..., 2, 3) of each level.

    Example:
        >>> inside, outside = torch.tensor([[0.5, 0, 0.5], [0, 0.5, 0]]), torch.tensor([[0.5, 0.1, 0.6], [0, -0.5, 0]])
        >>> prior_losses([inside]), prior_losses([outside])
        ((tensor(0.), tensor(0.)), (tensor(0.8000), tensor(0.1000)))
    """
    every = torch.cat([level.reshape(-1, 2, 3) for level in theta])
    scale = every[:, [0, 1], [0, 1]]
    rotation = every[:, [0, 1], [1, 0]]
    reach = every.abs().sum(dim=2) - 1
    prior = (MIN_SCALE - scale).clamp(min=0) + reach.clamp(min=0)
    return prior.sum(dim=1).mean(), rotation.abs().sum(dim=1).mean()
