r"""What rounding the maps to a half type does to a certificate.

The products of rounded maps are exact up to float32's own rounding, so that the solver certifies the lasso of the
rounded x~ and Y~. That of x and Y is another. With ||x - x~|| <= u ||x|| + v and ||y_j - y~_j|| <= u ||y_j|| + v, where
u is half the distance from 1 to the next number and v what numbers below the normal range lose, let

    E~ = ||x~ - Y~w||^2,   e = ||x~||,   L >= |w|_1,   n = max_j ||y~_j||,
    a = u / (1 - u) e + v,   b = u / (1 - u) n + v,   r = a + b L >= ||(x - Yw) - (x~ - Y~w)||.

The objective grows by at most 2 r E~^1/2 + r^2. The solver's dual point, a multiple of the residual, is feasible again
when it is scaled by s = t / (t + b E~^1/2), t = beta / 2. This costs the dual at most 2 (1 - s) e E~^1/2, and the
change of x at most 2 a E~^1/2. Their sum is added to the gap, over an objective of at least E~ - 2 r E~^1/2. L comes
from P~(w) <= e^2 / (1 - gap).
"""

from __future__ import annotations

import torch
from torch import Tensor

from .problem import Problem


def widen(gap: Tensor, error: Tensor, energy: Tensor, largest: Tensor, problem: Problem) -> Tensor:
    """Relative gaps ``(R, G)`` of the lasso that was asked for, from those of the lasso of rounded maps; at most 1.

    Args:
        gap: ``(R, G)``, of the rounded maps.
        error: ``(R, G)``, of the rounded maps.
        energy: ``(R,)``, ||x~||^2.
        largest: ``(1 or R, G)``, the largest ||y~_j||^2 of each dictionary.
        problem: with beta, and the dtype of the products.
    """
    info = torch.finfo(problem.product)
    share = info.eps / 2 / (1 - info.eps / 2)  # of the rounded vector's length
    lost = info.smallest_normal * info.eps / 2 * problem.gallery.channels**0.5
    t = problem.purpose.beta / 2
    x, y, rho = energy.double().sqrt()[:, None], largest.double().sqrt(), error.double().sqrt()
    of_x, of_y = share * x + lost, share * y + lost
    gap = gap.double()
    l1 = (x.square() / (1 - gap).clamp(min=0) - rho.square()).clamp(min=0) / problem.purpose.beta
    moved = of_x + of_y * l1
    scaled = of_y * rho / (t + of_y * rho)  # 1 - s
    extra = 2 * moved * rho + moved.square() + 2 * rho * (scaled * x + of_x)
    least = rho.square() - 2 * moved * rho
    widened = torch.where(least > 0, (gap * rho.square() + extra) / least, 1)
    return torch.where(error.isnan(), error, widened.clamp(max=1).to(error.dtype))
