"""sparse_reconstruct and its rivals over columns, atoms, channels, penalties and precisions.

- SPAMS: `spams.lasso`, LARS in C++, in the same precision;
- FISTA: `reidops.reference.fista`, batched in torch, 300 iterations, for up to 128 atoms. It certifies nothing.

The penalty is a share of the largest one at which some weight is not zero, of the median column.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import reidops
from reidops.reference import fista

MOST_ELEMENTS = 1 << 23  # of all atoms


class Case(NamedTuple):
    """Columns against one dictionary."""

    columns: int
    atoms: int
    channels: int
    share: float  # of the largest penalty
    dtype: torch.dtype
    tolerance: float = 1e-4

    @property
    def name(self) -> str:
        kind = str(self.dtype).removeprefix("torch.")
        return (
            f"{self.columns} columns, {self.atoms} atoms, {self.channels} channels, {self.share:g} of the largest "
            f"penalty, tolerance {self.tolerance:g}, {kind}"
        )


def _cases() -> Iterator[Case]:
    sizes = product((1, 16, 128), (16, 32, 128, 512, 2000), (128, 512, 2048))
    for (columns, atoms, channels), share, dtype in product(sizes, (0.3, 0.1, 0.01), (torch.float32, torch.float64)):
        if atoms * channels <= MOST_ELEMENTS and columns * atoms <= 1 << 16:
            yield Case(columns, atoms, channels, share, dtype)
    for share, dtype in product((1e-3, 1e-4), (torch.float32, torch.float64)):
        yield Case(128, 128, 500, share, dtype, 1e-6)


CASES = tuple(_cases())


def data(case: Case) -> tuple[Tensor, Tensor, float]:
    """Non-negative features of unit length that have some directions in common, as those of a network have."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(case.channels, 48, generator=generator, dtype=case.dtype)

    def features(count: int) -> Tensor:
        mixed = directions @ torch.randn(48, count, generator=generator, dtype=case.dtype) / 48**0.5
        noise = torch.randn(case.channels, count, generator=generator, dtype=case.dtype)
        return torch.nn.functional.normalize((mixed + 0.35 * noise).relu(), dim=0)

    x, y = features(case.columns), features(case.atoms)
    largest = 2 * (y.mT @ x).abs().amax(0).median()
    return x, y, float(case.share * largest)


def rivals(case: Case) -> dict[str, Callable[[], Any]]:
    """Each way to compute the case, by its name; "reidops" is ours."""
    x, y, beta = data(case)
    ways: dict[str, Callable[[], Any]] = {
        "reidops": lambda: reidops.sparse_reconstruct(x, y, beta, tolerance=case.tolerance)
    }
    if case.atoms <= 128:
        ways["FISTA"] = lambda: fista((y.mT @ y)[None], (x.mT @ y)[None], beta, iterations=300)
    try:
        spams = importlib.import_module("spams")
    except ImportError:
        return ways
    columns, dictionary = (np.asfortranarray(matrix.numpy()) for matrix in (x, y))
    threads = torch.get_num_threads()
    ways["SPAMS"] = lambda: spams.lasso(columns, D=dictionary, lambda1=beta / 2, mode=2, numThreads=threads)
    return ways
