"""The networks behind the tables, and what an object that hides a part does to the weight of the part."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from reidops_models.data import resize_image
from reidops_models.data.synthetic import load_annotations
from reidops_models.dpti.matcher import DptiMatcher
from reidops_models.dpti.network import DptiNetwork
from reidops_models.matching import embed_in_batches
from reidops_models.reproduction import Runs, Study, Variant

PROBE_SETS = {"holistic": "query", "occluded": "occluded_query", "partial": "partial_query"}
VARIANTS = {
    "G": Variant("dpti/demo", {"network": {"templates": "none"}}),
    "G + P": Variant("dpti/demo", {"network": {"templates": "grid"}}),
    "G + T": Variant("dpti/demo", {"network": {"templates": "static"}}),
    "G + D": Variant("dpti/demo"),
    "G + D + W": Variant("dpti/demo", {"network": {"weighting": True}}),
    "ResNet-50 with IBN": Variant("dpti/demo", {"network": {"weighting": True, "backbone": "resnet50_ibn_a_slim"}}),
    "OSNet": Variant("dpti/demo", {"network": {"weighting": True, "backbone": "osnet_x0_25"}}),
    "ResNet-18": Variant("dpti/demo", {"network": {"weighting": True, "backbone": "resnet_slim"}}),
}


class DptiRuns(Runs):
    """The gallery shows everybody three times."""

    def __init__(self, study: Study) -> None:
        super().__init__(study, VARIANTS)

    def matched(self, seed: int, variant: str, probes: str) -> Tensor:
        """(P, G) distances of the descriptors; `probes` is a key of `PROBE_SETS`."""
        return self.distances(seed, variant, probes, DptiMatcher(self.network(seed, variant)), PROBE_SETS[probes])

    def hidden_parts(self, seed: int, variant: str) -> tuple[np.ndarray, np.ndarray]:
        """How much of each part an object hides, and how its presence changes.

        Each person is shown twice, in the open and behind an object. The share of a part is how much of its attention
        in the open lies where the object will be. The ratio is its presence behind the object over its presence in the
        open.

        Returns:
            (P, N) shares in [0, 1], and (P, N) ratios.
        """
        network: DptiNetwork = self.network(seed, variant)
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
