"""Figure 3: where each template looks."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from reidops_models.data import resize_image
from reidops_models.dpti.network import DptiNetwork
from reidops_models.report import draw_grid, heat
from reidops_models.reproduction.dpti.experiments import DptiRuns

PEOPLE = 4


def draw_figure3(runs: DptiRuns, variant: str, path: Path) -> Path:
    """Attention over the person for every template. Each row is an image: people in the open, then behind an object."""
    seed = runs.study.seeds[0]
    network: DptiNetwork = runs.network(seed, variant)
    rows: list[list[Tensor | None]] = []
    for probe_set in ("query", "occluded_query"):
        probes = runs.study.search(seed, probe_set).probes
        for index in range(0, len(probes), max(1, len(probes) // PEOPLE))[:PEOPLE]:
            image = resize_image(probes[index], *network.image_size)
            with torch.inference_mode():
                maps = network.attention(image[None])[0]
            rows.append([image, *(heat(image, one / one.max()) for one in maps)])
    return draw_grid(rows, ["picture", *(f"template {number}" for number in range(1, len(rows[0])))], path)
