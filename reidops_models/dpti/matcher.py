"""The matcher of DPTI: one minus the cosine of two descriptors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from reidops_models.data import resize_image
from reidops_models.dpti.network import DptiNetwork
from reidops_models.embedding import device_of, embed_in_batches
from reidops_models.matching import PartAttention, Role


class DptiMatcher:
    """Images are resized to one size and compared by their descriptors.

    Args:
        network: trained; put into evaluation mode by the caller.
        batch_size: images that pass the network together, at most.

    Example:
        >>> from reidops_models.dpti.recipe import Network
        >>> network = DptiNetwork(Network(backbone="resnet50_slim", dimensions=64), (128, 64), identities=1).eval()
        >>> matcher = DptiMatcher(network)
        >>> probes, gallery = matcher.embed([torch.rand(3, 70, 64)]), matcher.embed([torch.rand(3, 128, 64)] * 2)
        >>> matcher.distances(probes, gallery).shape
        torch.Size([1, 2])
    """

    name = "DPTI"
    embedding = "descriptor"

    def __init__(self, network: DptiNetwork, *, batch_size: int = 64) -> None:
        self.network = network
        self.batch_size = batch_size

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        """The descriptor ((N + 1) d,) of each image, of unit length."""
        resized = (resize_image(image, *self.network.image_size) for image in images)
        return embed_in_batches(
            self.network.embed,
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

    @torch.inference_mode()
    def explain(self, probe: Tensor, gallery: Tensor) -> PartAttention | None:
        """Where each part was looked for in both images, and, if the network weighs parts, how much of each is believed
        to be there. None for a network without parts."""
        network = self.network
        if network.options.templates == "none":
            return None
        images = [resize_image(image, *network.image_size) for image in (probe, gallery)]
        both = torch.stack(images).to(device_of(network))
        described = network.describe(both)
        assert described.templates is not None
        one, other = torch.nn.functional.normalize(described.descriptor(), dim=1)
        return PartAttention(
            distance=float(1 - one @ other),
            probe=images[0],
            gallery=images[1],
            maps=network.attention(both).cpu(),
            presence=described.templates.presence().cpu() if network.options.weighting else None,
        )
