"""Matching by one vector an image: what matchers of papers share whose networks have such a vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from reidops_models.data import resize_image
from reidops_models.matching.batches import device_of, embed_in_batches
from reidops_models.matching.interface import Role


class DescriptorMatcher:
    """Images are resized to one size and compared by one minus the cosine of their vectors.

    A paper's matcher gives the name of its row, and explains a pair where it can.

    Args:
        network: images (B, 3, H, W) in [0, 1] -> vectors (B, C) of unit length; put into evaluation mode by the caller.
        image_size: (height, width) to which images are resized.
        batch_size: images that pass the network together, at most.
    """

    name = "descriptors"
    embedding = "descriptor"

    def __init__(self, network: nn.Module, image_size: tuple[int, int], *, batch_size: int = 64) -> None:
        self.network = network
        self.image_size = image_size
        self.batch_size = batch_size

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        """The vector (C,) of each image, of unit length."""
        resized = (resize_image(image, *self.image_size) for image in images)
        return embed_in_batches(
            self.network,
            resized,
            batch_size=self.batch_size,
            progress=progress,
            device=device_of(self.network),
        )

    def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
        """(P, G), one minus the cosine."""
        if not probes or not gallery:
            return torch.zeros(len(probes), len(gallery))
        return (1 - torch.stack(list(probes)) @ torch.stack(list(gallery)).mT).cpu()
