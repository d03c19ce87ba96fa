"""dsr_distance and its rivals over maps, probes and galleries.

- FISTA: all pairs in one product, then 100 iterations of `reidops.reference.fista` in Gram form;
- SPAMS: `spams.lasso` of all probe columns by each gallery image in turn;
- ridge pair by pair: what public code named DSR computes, another penalty (`benchmarks/pair_by_pair.py`).
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

from ..features import feature_maps
from ..pair_by_pair import KAPPA, ridge_distances

BETA = 0.4


class Case(NamedTuple):
    """Probes against a gallery of maps of one size."""

    probes: int
    gallery: int
    height: int
    width: int
    channels: int

    @property
    def name(self) -> str:
        return f"{self.probes} x {self.gallery} maps of {self.height}x{self.width}x{self.channels}"


def _cases() -> Iterator[Case]:
    maps = ((16, 8), (24, 8), (8, 4), (4, 2), (7, 5))
    for (height, width), channels, (probes, gallery) in product(
        maps, (64, 192, 512, 2048), ((1, 1), (1, 24), (24, 1), (8, 24))
    ):
        yield Case(probes, gallery, height, width, channels)


CASES = tuple(_cases())


def rivals(case: Case) -> dict[str, Callable[[], Any]]:
    """Each way to compute the case, by its name; "reidops" is ours."""
    shape = case.height, case.width, case.channels
    probe, gallery = feature_maps(case.probes, *shape, seed=1), feature_maps(case.gallery, *shape, seed=2)
    x, y = probe.flatten(2).mT.flatten(0, 1).contiguous(), gallery.flatten(2).mT.contiguous()

    def by_fista() -> Tensor:
        correlation = x @ y.mT
        w = fista(y @ y.mT, correlation, BETA, iterations=100)
        return (x - w @ y).square().sum(-1)

    ways: dict[str, Callable[[], Any]] = {
        "reidops": lambda: reidops.dsr_distance(probe, gallery, BETA),
        "FISTA": by_fista,
        "ridge pair by pair": lambda: ridge_distances(list(probe), list(gallery), KAPPA),
    }
    try:
        spams = importlib.import_module("spams")
    except ImportError:
        return ways
    columns = np.asfortranarray(x.mT.numpy())
    dictionaries = [np.asfortranarray(one.mT.numpy()) for one in y]
    options = {"lambda1": BETA / 2, "mode": 2, "numThreads": torch.get_num_threads()}
    ways["SPAMS"] = lambda: [spams.lasso(columns, D=dictionary, **options) for dictionary in dictionaries]
    return ways
