"""Plain sparse and ridge reconstruction, one dictionary and one column at a time, in float64."""

from __future__ import annotations

import torch
from torch import Tensor

from .feature_sign import feature_sign


def ridge(x: Tensor, y: Tensor, beta: float) -> Tensor:
    """``(y'y + beta I)^-1 y'x (M, N)``, the optimum of ``||x - yw||^2 + beta ||w||^2``; ``x (d, N)``, ``y (d, M)``."""
    x, y = x.detach().double(), y.detach().double()
    return torch.linalg.solve(y.mT @ y + beta * torch.eye(y.shape[-1], dtype=y.dtype, device=y.device), y.mT @ x)


def sparse_reconstruct(x: Tensor, y: Tensor, beta: float = 0.4, *, method: str = "lasso") -> tuple[Tensor, Tensor]:
    """Coefficients ``(*B, M, N)`` and error ``(*B, N)`` of ``x (*B, d, N)`` by ``y (*B, d, M)``, in float64.

    Eq. 3 of DSR by feature-sign search, or its ridge.  The error carries gradients by eq. 7: w is constant.
    """
    batch = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    xs = x.double().expand(*batch, *x.shape[-2:]).reshape(-1, *x.shape[-2:])
    ys = y.double().expand(*batch, *y.shape[-2:]).reshape(-1, *y.shape[-2:])
    weights = torch.empty(len(xs), y.shape[-1], x.shape[-1], dtype=torch.float64)
    for one, columns, atoms in zip(weights, xs, ys):
        if method == "ridge":
            one.copy_(ridge(columns, atoms, beta))
        else:
            for i, column in enumerate(columns.unbind(1)):
                one[:, i] = feature_sign(column, atoms, beta)
    error = (xs - ys @ weights.to(ys.device)).square().sum(-2)
    return weights.reshape(*batch, *weights.shape[1:]), error.reshape(*batch, x.shape[-1])
