"""The active sets of the CPU and of the CUDA kernel go different ways to one support."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
import torch

import reidops
from tests.emulator.test_sparse_reconstruct_kernels import ACTIVE_SET, FEATURE_SIGN, Case, case

OP = "sparse_reconstruct"


def on_cpu(problem: Case, solver: str, tolerance: float) -> np.ndarray:
    """Coefficients (R, G, M) of the CPU's operator."""
    x = torch.from_numpy(problem.x.T.copy())
    options = {"beta": problem.beta, "solver": solver, "tolerance": tolerance}
    solved = [reidops.sparse_reconstruct(x, torch.from_numpy(y.T.copy()), **options) for y in problem.y]
    return torch.stack([result.coefficients.mT for result in solved], dim=1).numpy()


def clear(problem: Case, best: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Atoms that must be in the support of ``w``, and atoms that must not, given the optimum ``best``.

    A gap of e bounds ``||Y (w - best)||^2`` by e P(w).  So no r_j is off by more than d = sqrt(e P) ||y_j||, and no
    weight by more than sqrt(e P) over the least singular value of the atoms of both supports.  An active set leaves its
    members at |r_j| = t, so an atom whose r_j at the optimum is below t - d is none of them.
    """
    x, y, t = problem.x.astype(float), problem.y.astype(float), problem.beta / 2
    _, gap, objective = problem.judge(w)
    distance = np.sqrt(np.maximum(gap, 1e-12) * objective)[..., None]
    r = np.einsum("rgd,gmd->rgm", x[:, None] - np.einsum("rgm,gmd->rgd", best.astype(float), y), y)
    away = np.abs(r) < t - distance * np.linalg.norm(y, axis=-1) - problem.rounding
    used = np.zeros(w.shape, bool)
    for row, g in np.ndindex(w.shape[:2]):
        atoms = y[g][(w[row, g] != 0) | (best[row, g] != 0)]
        least = np.linalg.svd(atoms, compute_uv=False).min(initial=np.inf) if len(atoms) <= y.shape[2] else 0.0
        used[row, g] = np.abs(best[row, g]) * least > distance[row, g]
    return used, away


@pytest.mark.parametrize(("dtype", "tolerance", "share"), [(np.float32, 1e-4, 0.85), (np.float64, 1e-8, 0.99)])
@pytest.mark.parametrize(("name", "solver"), [("active_set", ACTIVE_SET), ("feature_sign", FEATURE_SIGN)])
@pytest.mark.parametrize(("m", "beta"), [(40, 0.4), (128, 0.4), (128, 0.1), (200, 0.2)])
def test_one_support(
    plain: ModuleType, m: int, beta: float, name: str, solver: int, dtype: type, tolerance: float, share: float
) -> None:
    problem = case(m, dtype, r=4, d=160, beta=beta, seed=m)
    exact = Case(problem.x.astype(float), problem.y.astype(float), beta)
    best = on_cpu(exact, "active_set", 1e-13)
    assert exact.judge(best)[1].max() <= 1e-12
    ways = on_cpu(problem, name, tolerance), problem.solve(plain, solver=solver, tolerance=tolerance)[2]
    for w in ways:
        assert problem.judge(w)[1].max() <= tolerance + problem.rounding / (beta / 2)
        used, away = clear(problem, best, w)
        assert used.any(-1).all()
        assert (used | away).mean() > share  # few are left to chance
        assert (w[used] * best[used] > 0).all()
        assert not w[away].any()
    both = [clear(problem, best, w) for w in ways]
    decided = np.logical_and(*(used | away for used, away in both))
    np.testing.assert_array_equal((ways[0] != 0)[decided], (ways[1] != 0)[decided])
