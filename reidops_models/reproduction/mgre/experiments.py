"""The networks and distances behind the tables: each is made once, whichever tables need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from reidops_models.boxes import box_iou
from reidops_models.data import Sample, resize_image
from reidops_models.evaluation import RankingResult, evaluate_ranking
from reidops_models.mgre.network import MgreNetwork
from reidops_models.mgre.poses import read_poses
from reidops_models.mgre.regions import region_boxes
from reidops_models.recipe import Images
from reidops_models.reproduction import Study
from reidops_models.reproduction.study import generator
from reidops_models.training.augment import augment

# What is other than in recipes/demo.yaml, by the rows of tables 4, 5 and 7.
NETWORKS: dict[str, dict[str, Any]] = {
    "Baseline": {"stages": []},
    "Baseline+1": {"stages": [1]},
    "Baseline+2": {"stages": [2]},
    "Baseline+3": {"stages": [3]},
    "Baseline+2+3": {"stages": [2, 3]},
    "MGRe": {},
    "Single-grained features": {"features": "last"},
    "Single-grained regions": {"regions": "whole"},
    "Baseline + JO": {"sampling": False},
    "MGRe without JO": {"boxes": "given"},
}
PROBES = "query"
ERASED = 0.5  # of the test images, table 6
BATCH = 64


class Experiments:
    """Networks and distances of a study's seeds; the gallery shows everybody three times."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def network(self, seed: int, name: str) -> MgreNetwork:
        """One of `NETWORKS`."""
        network = self.study.trained(seed, label_of(name), "mgre/demo", {"network": NETWORKS[name]}).network
        assert isinstance(network, MgreNetwork)
        return network

    def ranked(self, name: str, *, erased: bool = False) -> list[RankingResult]:
        """A ranking for each seed; of erased test images, probes and gallery, where asked for."""
        results = []
        for seed in self.study.seeds:
            search = self.study.search(seed, PROBES)
            results.append(
                evaluate_ranking(self._distances(seed, name, erased), search.probe_pids, search.gallery_pids)
            )
        return results

    def location_errors(self, seed: int, name: str) -> dict[str, tuple[float, float, float]]:
        """Of every region over the test people: IoU of the located box with the true one; the same of the predefined
        box; and the mean error of an edge, as a share of the image."""
        network = self.network(seed, name)
        people = self.study.people(seed)
        samples = [*people.query, *people.gallery]
        images = [*self.study.search(seed, PROBES).probes, *self.study.search(seed, PROBES).gallery]
        poses = read_poses(samples)
        errors: dict[str, tuple[float, float, float]] = {}
        for stage, regions in network.regions().items():
            targets, there = region_boxes(poses, regions)
            found = torch.cat([boxes[stage] for boxes in self.located(network, images)])
            predefined = network.predefined(stage, found).expand_as(found)
            for index, region in enumerate(regions):
                use = there[:, index]
                true = targets[use, index]
                errors[region.name] = (
                    float(box_iou(found[use, index], true).mean()),
                    float(box_iou(predefined[use, index], true).mean()),
                    float((found[use, index] - true).abs().mean()),
                )
        return errors

    @torch.inference_mode()
    def located(self, network: MgreNetwork, images: Sequence[Tensor]) -> list[dict[int, Tensor]]:
        return [network.describe(batch).boxes for batch in self.batches(network, images, erased=None)]

    def _distances(self, seed: int, name: str, erased: bool) -> Tensor:
        network = self.network(seed, name)  # trained here: a new network has no old distances

        def compute() -> Tensor:
            search, people = self.study.search(seed, PROBES), self.study.people(seed)
            sides = [
                self._embedded(network, images, samples, (seed, side) if erased else None)
                for side, (images, samples) in enumerate(
                    [(search.probes, people.query), (search.gallery, people.gallery)]
                )
            ]
            return 1 - sides[0] @ sides[1].mT

        return self.study.distances(seed, label_of(name), "erased" if erased else "plain", compute)

    @torch.inference_mode()
    def _embedded(
        self, network: MgreNetwork, images: Sequence[Tensor], samples: Sequence[Sample], erased: tuple[int, int] | None
    ) -> Tensor:
        poses = read_poses(samples).split(BATCH) if network.options.takes_boxes else [None] * len(images)
        batches = self.batches(network, images, erased)
        return torch.cat([network.embed(batch, pose) for batch, pose in zip(batches, poses, strict=False)])

    @torch.inference_mode()
    def batches(self, network: MgreNetwork, images: Sequence[Tensor], erased: tuple[int, int] | None) -> list[Tensor]:
        """Resized, in batches; half of them with a rectangle erased, the same ones for every network of a seed."""
        resized = torch.stack([resize_image(image, *network.image_size) for image in images])
        if erased is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(generator(*erased).initial_seed())
                resized = augment(resized, Images(size=network.image_size, flip=0.0, erase=ERASED))
        return list(resized.split(BATCH))


def label_of(name: str) -> str:
    """The folder of a network."""
    return name.replace(" ", "")
