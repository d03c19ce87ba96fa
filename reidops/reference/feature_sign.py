"""Feature-sign search, DSR's own solver, written step by step as in the paper it comes from."""

from __future__ import annotations

import torch
from torch import Tensor


def feature_sign(x: Tensor, y: Tensor, beta: float = 0.4, max_iterations: int = 1000) -> Tensor:
    """The optimal ``w (M,)`` of ``||x - yw||^2 + beta |w|_1`` for one column ``x (d,)`` and atoms ``y (d, M)``.

    Algorithm 1 of Lee, Battle, Raina and Ng, "Efficient sparse coding algorithms", NIPS 2007, in float64 whatever comes
    in.  Exact up to rounding, one column at a time, slow: an oracle.

    Raises:
        RuntimeError: the optimum was not reached in ``max_iterations`` steps.
    """
    x, y = x.detach().double().cpu(), y.detach().double().cpu()
    slack = 1e-12 * max(1.0, float(x.norm() * y.norm()))
    weights = torch.zeros(y.shape[1], dtype=torch.float64)
    signs = torch.zeros_like(weights)
    for _ in range(max_iterations):
        gradient = 2 * y.T @ (y @ weights - x)
        active = signs != 0
        if bool(((gradient + beta * signs).abs() <= slack)[active].all()):  # step 4a: the active ones are optimal
            violation = torch.where(active, 0, gradient.abs() - beta)
            if not bool((violation > slack).any()):  # step 4b: so are the zeros
                return weights
            entering = int(violation.argmax())  # step 2: the zero that helps most enters
            signs[entering] = -gradient[entering].sign()
            active[entering] = True
        weights[active] = _feature_sign_step(x, y[:, active], beta, weights[active], signs[active])
        signs = weights.sign()
    raise RuntimeError(f"feature_sign: not optimal after {max_iterations} steps")


def _feature_sign_step(x: Tensor, y: Tensor, beta: float, weights: Tensor, signs: Tensor) -> Tensor:
    """Step 3: towards the optimum for these signs, as far as the best of the sign changes on the way."""
    gram, wanted = y.T @ y, y.T @ x - beta / 2 * signs
    target = torch.linalg.pinv(gram, hermitian=True, rtol=1e-11) @ wanted
    unmet = wanted - gram @ target
    endless = float(unmet.norm()) > 1e-9 * float(wanted.norm())
    if endless:  # dependent atoms: the penalty falls along `unmet` while y @ w stays, until a coefficient is zero
        target = weights + unmet * float((weights / unmet).abs().nan_to_num(0.0, 0.0, 0.0).max() + 1) * 2
    crossings = weights / (weights - target)
    fractions = crossings[(crossings > 0) & (crossings < 1)].tolist() + ([] if endless else [1.0])
    points = []
    for fraction in fractions:
        point = weights + fraction * (target - weights)
        point[crossings == fraction] = 0  # exactly: it leaves the active set
        points.append((float((x - y @ point).square().sum() + beta * point.abs().sum()), point))
    return min(points, key=lambda scored: scored[0])[1]
