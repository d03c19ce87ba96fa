"""The networks and distances behind the tables: each is made once, whichever tables need it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from reidops_models.data import resize_image
from reidops_models.data.synthetic import load_annotations
from reidops_models.dpti.matcher import DptiMatcher
from reidops_models.dpti.network import DptiNetwork
from reidops_models.evaluation import RankingResult, evaluate_ranking
from reidops_models.matching import embed_in_batches
from reidops_models.reproduction import Study

PROBE_SETS = {"holistic": "query", "occluded": "occluded_query", "partial": "partial_query"}

# What is other than in recipes/demo.yaml: the variants of table 4, and the backbones of table 5.
VARIANTS: dict[str, dict[str, Any]] = {
    "G": {"templates": "none"},
    "G + P": {"templates": "grid"},
    "G + T": {"templates": "static"},
    "G + D": {},
    "G + D + W": {"weighting": True},
}
BACKBONES: dict[str, dict[str, Any]] = {
    "ResNet-50": {"weighting": True},
    "ResNet-50 with IBN": {"weighting": True, "backbone": "resnet50_ibn_a_slim"},
    "OSNet": {"weighting": True, "backbone": "osnet_x0_25"},
    "ResNet-18": {"weighting": True, "backbone": "resnet_slim"},
}
LABELS = {name: name.replace(" ", "") for name in (*VARIANTS, *BACKBONES)} | {"ResNet-50": "G+D+W"}


class Experiments:
    """Networks and distances of a study's seeds; the gallery shows everybody three times."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def network(self, seed: int, name: str) -> DptiNetwork:
        """One of `VARIANTS` and `BACKBONES`."""
        changes = {"network": {**VARIANTS, **BACKBONES}[name]}
        network = self.study.trained(seed, LABELS[name], "dpti/demo", changes).network
        assert isinstance(network, DptiNetwork)
        return network

    def ranked(self, name: str, probes: str) -> list[RankingResult]:
        """A ranking for each seed; probes are one of `PROBE_SETS`."""
        results = []
        for seed in self.study.seeds:
            search = self.study.search(seed, PROBE_SETS[probes])
            distances = self._distances(seed, name, probes)
            results.append(evaluate_ranking(distances, search.probe_pids, search.gallery_pids))
        return results

    def _distances(self, seed: int, name: str, probes: str) -> Tensor:
        matcher = DptiMatcher(self.network(seed, name))  # trained here: a new network has no old distances

        def compute() -> Tensor:
            search = self.study.search(seed, PROBE_SETS[probes])
            return matcher.distances(matcher.embed(search.probes), matcher.embed(search.gallery))

        return self.study.distances(seed, LABELS[name], probes, compute)

    def hidden_parts(self, seed: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """How much of each part an object hides, and how its presence changes.

        A picture and the same behind an object are a pair. Of a part, the share of its attention in the open picture
        that lies where the object will be, and its presence behind the object over its presence in the open.

        Returns:
            (P, N) shares in [0, 1], and (P, N) ratios.
        """
        network = self.network(seed, name)
        people = self.study.people(seed)
        annotations = load_annotations(people.root)
        boxes = [
            annotations[sample.path.relative_to(people.root).as_posix()].occluder
            for sample in people.probes("occluded_query")
        ]
        found = []
        for probe_set in ("query", "occluded_query"):
            images = [resize_image(image, *network.image_size) for image in self.study.search(seed, probe_set).probes]
            found.append(embed_in_batches(lambda batch: list(zip(*_parts(network, batch), strict=True)), images))
        shares, ratios = [], []
        for box, (open_maps, before), (_, after) in zip(boxes, *found, strict=True):
            assert box is not None
            shares.append((open_maps * covered(box, open_maps.shape[-2:])).sum(dim=(1, 2)))
            ratios.append(after / before)
        return torch.stack(shares).numpy(), torch.stack(ratios).numpy()


def covered(box: tuple[float, float, float, float], size: tuple[int, int]) -> Tensor:
    """(h, w): the share of each location of a map that a box (left, top, right, bottom; fractions) covers.

    Example:
        >>> covered((0.0, 0.5, 1.0, 1.0), (3, 1)).tolist()
        [[0.0], [0.5], [1.0]]
    """
    left, top, right, bottom = box
    fine = 60  # a multiple of the usual sizes
    y, x = (torch.arange(fine * n).add(0.5).div(fine * n) for n in size)
    inside = ((y >= top) & (y < bottom))[:, None] & ((x >= left) & (x < right))
    return F.avg_pool2d(inside[None].float(), fine)[0].round(decimals=6)


def _parts(network: DptiNetwork, images: Tensor) -> tuple[Tensor, Tensor]:
    """Attention (B, N, h, w) and presence (B, N)."""
    templates = network.describe(images).templates
    assert templates is not None
    return network.attention(images), templates.presence()
