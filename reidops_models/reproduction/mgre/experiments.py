"""The networks behind the tables, erased test images, and how well regions are located."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from reidops_models.boxes import box_iou
from reidops_models.data import Sample, resize_image
from reidops_models.mgre.network import MgreNetwork
from reidops_models.mgre.poses import read_poses
from reidops_models.mgre.regions import region_boxes
from reidops_models.recipe import Images
from reidops_models.reproduction import Runs, Study, Variant
from reidops_models.reproduction.study import generator
from reidops_models.training.augment import augment

# What differs from recipes/demo.yaml in the network, by the rows of tables 4, 5 and 7.
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
VARIANTS = {name: Variant("mgre/demo", {"network": options}) for name, options in NETWORKS.items()}
ERASED = 0.5  # of the test images, table 6
BATCH = 64


class MgreRuns(Runs):
    """The gallery shows everybody three times."""

    def __init__(self, study: Study) -> None:
        super().__init__(study, VARIANTS)

    def matched(self, seed: int, variant: str, erased: bool = False) -> Tensor:
        """(P, G) distances of the final features; of erased test images, probes and gallery, where asked for."""
        network: MgreNetwork = self.network(seed, variant)

        def compute() -> Tensor:
            search, people = self.search(seed), self.study.people(seed)
            both = (search.probes, people.query), (search.gallery, people.gallery)
            sides = [
                self._embedded(network, images, samples, (seed, side) if erased else None)
                for side, (images, samples) in enumerate(both)
            ]
            return 1 - sides[0] @ sides[1].mT

        return self.kept(seed, variant, "erased" if erased else "plain", compute)

    def location_errors(self, seed: int, variant: str) -> dict[str, tuple[float, float, float]]:
        """How well regions are located, over all test images.

        Returns:
            By region: the mean IoU of the located box with the true one, that of the predefined box, and the mean error
            of an edge in fractions of the image.
        """
        network: MgreNetwork = self.network(seed, variant)
        people, search = self.study.people(seed), self.search(seed)
        samples = [*people.query, *people.gallery]
        images = [*search.probes, *search.gallery]
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
        """Boxes (B, R, 4) by stage, for every batch of images."""
        return [network.describe(batch).boxes for batch in self.batches(network, images, erased=None)]

    @torch.inference_mode()
    def _embedded(
        self, network: MgreNetwork, images: Sequence[Tensor], samples: Sequence[Sample], erased: tuple[int, int] | None
    ) -> Tensor:
        poses = read_poses(samples).split(BATCH) if network.options.takes_boxes else [None] * len(images)
        batches = self.batches(network, images, erased)
        return torch.cat([network.embed(batch, pose) for batch, pose in zip(batches, poses, strict=False)])

    @torch.inference_mode()
    def batches(self, network: MgreNetwork, images: Sequence[Tensor], erased: tuple[int, int] | None) -> list[Tensor]:
        """Batches of resized images.

        With seeds for `erased`, half of the images have a rectangle erased, and it is the same one for every network.
        """
        resized = torch.stack([resize_image(image, *network.image_size) for image in images])
        if erased is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(generator(*erased).initial_seed())
                resized = augment(resized, Images(size=network.image_size, flip=0.0, erase=ERASED))
        return list(resized.split(BATCH))
