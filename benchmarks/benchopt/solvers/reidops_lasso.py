"""A solver file for benchopt's lasso benchmark: `reidops.sparse_reconstruct` beside everybody else's solvers."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from benchopt import BaseSolver
from benchopt.stopping_criterion import SufficientProgressCriterion

import reidops


class Solver(BaseSolver):
    """The lasso of one column, certified by its relative duality gap.

    benchopt's objective ``1/2 ||y - Xb||^2 + lmbd |b|_1`` is half of ``||y - Xb||^2 + beta |b|_1`` with
    ``beta = 2 lmbd``.
    """

    name = "reidops"
    # A call is often better than it was asked to be, and the next ones then bring nothing: so it takes patience.
    stopping_criterion = SufficientProgressCriterion(patience=20, strategy="tolerance")
    requirements: ClassVar = ["pip::reidops"]
    parameters: ClassVar = {"solver": ["active_set", "feature_sign", "coordinate_descent"]}

    def skip(self, X: Any, y: Any, lmbd: float, fit_intercept: bool) -> tuple[bool, str | None]:
        if fit_intercept:
            return True, "reidops fits no intercept"
        if not isinstance(X, np.ndarray):
            return True, "reidops takes dense data"
        return False, None

    def set_objective(self, X: Any, y: Any, lmbd: float, fit_intercept: bool) -> None:
        self.atoms, self.column = torch.from_numpy(np.ascontiguousarray(X)), torch.from_numpy(y)[:, None]
        self.beta = 2 * float(lmbd)
        self.run(1e-1)  # the first call of a process loads the library

    def run(self, tolerance: float) -> None:
        """The gap is relative to the objective and at most 1, which no weights at all reach."""
        if tolerance >= 1:
            self.coefficients = np.zeros(self.atoms.shape[1])
            return
        result = reidops.sparse_reconstruct(
            self.column,
            self.atoms,
            self.beta,
            solver=self.solver,
            tolerance=max(tolerance, 1e-14),
            max_iterations=100_000,
        )
        self.coefficients = result.coefficients[:, 0].numpy()

    def get_result(self) -> dict[str, Any]:
        return {"beta": self.coefficients}
