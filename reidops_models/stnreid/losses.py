"""The losses of the STN module: eq. 5, and a supervised one of ours."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def stn_loss(partial: Tensor, affined: Tensor) -> Tensor:
    r"""L_STN, eq. 5: :math:`\|f_p - f_a\|_2^2`, summed over the feature's values, averaged over the pairs.

    Both sides have gradients: the partial image's feature comes towards the affined one's as well.

    Args:
        partial: (B, C) features f_p of the partial images.
        affined: (B, C) features f_a of the affined images.

    Raises:
        ValueError: shapes that do not match.

    Example:
        >>> import torch
        >>> stn_loss(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0, 0.0]]))
        tensor(5.)
    """
    _check_shapes("stn_loss: affined must have partial's", partial, affined)
    return (partial - affined).square().sum(dim=1).mean()


def box_loss(theta: Tensor, truth: Tensor) -> Tensor:
    """Ours, not the paper's: the mean absolute error of theta's six numbers, where the true ones are known.

    Args:
        theta: (B, 2, 3) predicted.
        truth: (B, 2, 3), `reidops.boxes_to_theta` of the box that the partial image shows.

    Raises:
        ValueError: shapes that do not match.

    Example:
        >>> import torch
        >>> box_loss(torch.zeros(1, 2, 3), torch.eye(2, 3)[None])
        tensor(0.3333)
    """
    _check_shapes("box_loss: truth must have theta's", theta, truth)
    return F.l1_loss(theta, truth)


def _check_shapes(expected: str, one: Tensor, other: Tensor) -> None:
    if one.shape != other.shape:
        raise ValueError(f"{expected} shape {tuple(one.shape)}, got {tuple(other.shape)}")
