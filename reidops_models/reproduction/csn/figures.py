"""Figure 4: where in a probe the parts of a gallery image are found, at each level."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from reidops_models.csn.network import CsnNetwork
from reidops_models.data import resize_image
from reidops_models.report import draw_grid, heat
from reidops_models.reproduction.csn.experiments import BASE, CsnRuns

PAIRS = 2  # probes drawn, each with a wrong and a right gallery image
PARTS = {"upper": 0, "middle": 1}


def draw_figure4(runs: CsnRuns, path: Path) -> Path:
    """Two probes of the first seed, each with the nearest image of another person and with its own person's."""
    seed = runs.study.seeds[0]
    network: CsnNetwork = runs.network(seed, BASE)
    search, distances = runs.search(seed), runs.matched(seed, BASE)
    pids = torch.from_numpy(search.gallery_pids)
    drawn = torch.linspace(0, len(search.probes) - 1, PAIRS).long().tolist()
    pairs = []
    for index in drawn:
        own = pids == int(search.probe_pids[index])
        wrong = int(distances[index].masked_fill(own, torch.inf).argmin())
        pairs += [(search.probes[index], search.gallery[one]) for one in (wrong, int(own.nonzero()[0]))]
    maps = [score_maps(network, probe, other) for probe, other in pairs]
    columns = [(level, part) for level in range(len(network.levels)) for part in PARTS.values()]
    rows: list[list[Tensor | None]] = [list(pair) for pair in pairs]
    for level, part in columns:
        for first in range(0, len(pairs), 2):  # the rows of a probe have one scale of colours
            found = torch.stack([one[level][part] for one in maps[first : first + 2]])
            low, high = float(found.min()), float(found.max())
            for row, one in zip(rows[first : first + 2], found, strict=True):
                row.append(heat(pairs[first][0], (one - low) / max(high - low, 1e-12)))
    headings = ["probe", "gallery", *(f"level {level}, {name}" for level in network.levels for name in PARTS)]
    return draw_grid(rows, headings, path)


@torch.inference_mode()
def score_maps(network: CsnNetwork, image: Tensor, other: Tensor) -> list[Tensor]:
    """(T, h, w) of each level: the mean over channels of eq. 2, parts of `other` slid over the maps of `image`."""
    both = torch.stack([resize_image(one, *network.image_size) for one in (image, other)])
    described = network.describe(both)
    return [maps[0, 0].mean(dim=1) for maps in network.score_maps(described[1:], described[:1])]
