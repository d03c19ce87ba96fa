"""A solution judged from the data alone, in float64: nothing here knows how it was found."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Verdict(NamedTuple):
    """Of coefficients ``w (M, N)`` for ``x (d, N)`` by ``y (d, M)``; each ``(N,)``."""

    error: Tensor  #: ||x - yw||^2
    primal: Tensor  #: error + beta |w|_1
    gap: Tensor  #: (primal - dual) / primal; the optimum is above the dual
    kkt: Tensor  #: the largest violation of the conditions of optimality of half the objective


def judge(x: Tensor, y: Tensor, w: Tensor, beta: float) -> Verdict:
    """The dual point is the residual, scaled into |Y'u|_inf <= beta / 2; D(u) = 2 u'x - u'u."""
    x, y, w = x.double(), y.double(), w.double()
    t = beta / 2
    residual = x - y @ w
    r = y.mT @ residual
    error = residual.square().sum(-2)
    primal = error + beta * w.abs().sum(-2)
    steepest = r.abs().amax(-2) if len(y.mT) else torch.zeros_like(error)
    u = residual * (t / steepest).clamp(max=1)[..., None, :].nan_to_num(1.0)
    dual = (2 * u * x - u * u).sum(-2)
    gap = torch.where(primal > 0, (primal - dual) / primal, 0)
    violation = torch.where(w != 0, (r - t * w.sign()).abs(), (r.abs() - t).relu())
    return Verdict(error, primal, gap, violation.amax(-2) if len(y.mT) else torch.zeros_like(error))
