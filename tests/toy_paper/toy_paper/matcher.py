"""The matcher: the cosine of the stripes' colours; its explanation shows the stripes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from reidops_models.data import resize_image
from reidops_models.matching import PartAttention, VectorMatcher
from toy_paper.network import StripeNetwork


class StripeMatcher(VectorMatcher):
    """One minus the cosine, times the contrast."""

    name = "Stripes"

    def __init__(self, network: StripeNetwork, image_size: tuple[int, int], *, contrast: float = 1.0) -> None:
        super().__init__(network, image_size)
        self.stripes = network.stripes
        self.contrast = contrast

    def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
        """(P, G)."""
        return self.contrast * super().distances(probes, gallery, progress=progress)

    def explain(self, probe: Tensor, gallery: Tensor) -> PartAttention:
        """Where each stripe is: in the same place in every image."""
        images = [resize_image(image, *self.image_size) for image in (probe, gallery)]
        one, other = (self.embed([image]) for image in images)
        stripes = torch.eye(self.stripes).reshape(self.stripes, self.stripes, 1)
        return PartAttention(
            distance=float(self.distances(one, other)),
            probe=images[0],
            gallery=images[1],
            maps=torch.stack([stripes, stripes]),
            presence=None,
        )
