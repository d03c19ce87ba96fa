"""The modified diversity loss, eq. 10."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def diversity_loss(parts: Tensor) -> Tensor:
    r"""L_div, eq. 10: the mean squared cosine between two different part vectors of an image, over the batch.

    .. math::
        \frac{1}{N (N - 1)} \sum_{i \neq j} \frac{\langle f_i, f_j \rangle^2}{\|f_i\|^2 \|f_j\|^2}

    Squared, so that the least there is, 0, is parts at right angles, and not opposite ones.

    Args:
        parts: (B, N, d) part vectors. A vector of zeros is at right angles to all.

    Returns:
        A scalar in [0, 1]; 0 for fewer than two parts.

    Raises:
        ValueError: not three dimensions.

    Example:
        >>> import torch
        >>> diversity_loss(torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [-3.0, -3.0]]]))
        tensor(0.5000)
    """
    if parts.ndim != 3:
        raise ValueError(f"diversity_loss: parts must be (B, N, d), got {tuple(parts.shape)}")
    count = parts.shape[1]
    if count < 2:
        return parts.sum() * 0
    unit = F.normalize(parts, dim=2)
    squared = (unit @ unit.mT).square()
    others = squared.sum(dim=(1, 2)) - squared.diagonal(dim1=1, dim2=2).sum(dim=1)
    return others.mean() / (count * (count - 1))
