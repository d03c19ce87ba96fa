"""Figures 4 and 5: what STN modules crop out of holistic images to match partial ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reidops_models.data import resize_image
from reidops_models.report import draw_grid
from reidops_models.reproduction.stnreid.experiments import SETTINGS, StnreidRuns
from reidops_models.stnreid.network import StnreidNetwork

PROBES_OF_ONE = 4  # figure 4: partial images of one person
HOLISTIC, PARTIALS = 3, 5  # figure 5: of each of two people


def draw_figure4(runs: StnreidRuns, path: Path) -> Path:
    """One holistic image and four partial ones of its person; a column for each setting's STN module."""
    seed = runs.study.seeds[0]
    holistic, partials = _person(runs, seed, 0)
    networks: list[StnreidNetwork] = [runs.network(seed, variant) for variant in SETTINGS]
    rows = [
        [probe, holistic[0], *(affined(network, holistic[0], probe) for network in networks)]
        for probe in partials[:PROBES_OF_ONE]
    ]
    return draw_grid(rows, ["partial", "holistic", *SETTINGS], path)


def draw_figure5(runs: StnreidRuns, variant: str, path: Path) -> Path:
    """Three holistic images of each of two people against five partial ones; a row for each partial image."""
    seed = runs.study.seeds[0]
    network: StnreidNetwork = runs.network(seed, variant)
    rows: list[list[Tensor | None]] = []
    for number in range(2):
        holistic, partials = _person(runs, seed, number)
        holistic = holistic[:HOLISTIC]
        rows.append([None, *holistic])
        rows += [[probe, *(affined(network, one, probe) for one in holistic)] for probe in partials[:PARTIALS]]
    return draw_grid(rows, ["partial", *(f"holistic {i + 1}" for i in range(len(rows[0]) - 1))], path)


@torch.inference_mode()
def affined(network: StnreidNetwork, holistic: Tensor, partial: Tensor) -> Tensor:
    """The affined image (3, H, W) of a holistic and a partial one (3, H, W), of any sizes."""
    whole, part = (resize_image(image, *network.image_size)[None] for image in (holistic, partial))
    return network.affine(whole, network.locate(whole, part))[0]


def _person(runs: StnreidRuns, seed: int, number: int) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """All gallery images and the partial probes of a test person, by number."""
    search = runs.study.search(seed, runs.probe_set)
    pid = np.unique(search.gallery_pids)[number]
    holistic = [search.gallery[i] for i in np.flatnonzero(search.gallery_pids == pid).tolist()]
    return holistic, [search.probes[i] for i in np.flatnonzero(search.probe_pids == pid).tolist()]
