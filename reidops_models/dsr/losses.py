"""The loss of fine-tuning with DSR, sec. 3.3: errors of reconstruction as a verification signal."""

from __future__ import annotations

from typing import Literal, NamedTuple

from torch import Tensor

import reidops

Gradient = Literal["constant", "implicit"]


class PairLoss(NamedTuple):
    """What :func:`pair_loss` returns.

    loss () is the part of eq. 5 that has gradients, objective () the whole of it with the penalty and without
    gradients, errors (B,) the distances of eq. 4, a pair each.
    """

    loss: Tensor
    objective: Tensor
    errors: Tensor


def pair_loss(x: Tensor, y: Tensor, alpha: Tensor, beta: float = 0.4, *, gradient: Gradient = "constant") -> PairLoss:
    r"""Eq. 5 of DSR, averaged over pairs of block sets.

    .. math:: \frac{1}{B} \sum_b \frac{1}{N}
              \big( \alpha_b \|X_b - Y_b W_b\|_F^2 + \beta \sum_n \|w_{b,n}\|_1 \big)

    W minimises eq. 3 whatever alpha is, so alpha belongs to the error alone: the penalty of a pair of different people
    keeps its sign, because it is W's, not the network's. As in eq. 4 both are means over the N blocks; eq. 5 as printed
    divides the error only, and its W would not be that of eq. 3.

    Each call is one round of algorithm 2. W is solved with the network fixed. Then, with `gradient="constant"`, the
    loss is derived with W fixed, eq. 7 with the 1/N that it leaves out:
    d/dX = 2 alpha (X - YW) / N, d/dY = -2 alpha (X - YW) W' / N. The penalty then has no gradient.
    `gradient="implicit"` follows W as the blocks change, which is the exact derivative of the error.

    Eq. 6 halves the error of eq. 3 and keeps its letter: its beta is half of this one.

    Args:
        x: (B, d, N) the blocks of the patches, as columns.
        y: (B, d, M) the blocks of the holistic images; set b rebuilds set b of `x`, no other.
        alpha: (B,) 1 for a pair of one identity, -1 for a pair of two.
        beta: sparsity of eq. 3, > 0.
        gradient: "constant", the paper's, or "implicit".

    Raises:
        ValueError: shapes that do not match.

    Example:
        >>> import torch
        >>> from torch.nn import functional as F
        >>> x = F.normalize(torch.rand(2, 192, 12), dim=1).requires_grad_()
        >>> y = F.normalize(torch.rand(2, 192, 32), dim=1)
        >>> pairs = pair_loss(x, y, alpha=torch.tensor([1.0, -1.0]))
        >>> pairs.loss.backward()
        >>> pairs.errors.shape, x.grad.shape
        (torch.Size([2]), torch.Size([2, 192, 12]))
    """
    if alpha.shape != x.shape[:1] or y.shape[:1] != x.shape[:1]:
        raise ValueError(
            f"pair_loss: expected as many alpha as pairs in x and y, got x {tuple(x.shape)}, y {tuple(y.shape)}, "
            f"alpha {tuple(alpha.shape)}"
        )
    rebuilt = reidops.sparse_reconstruct(x, y, beta, gradient=gradient)
    errors = rebuilt.error.mean(dim=1)
    loss = (alpha * errors).mean()
    penalty = beta * rebuilt.coefficients.abs().sum(dim=1).mean()
    return PairLoss(loss, loss.detach() + penalty, errors.detach())
