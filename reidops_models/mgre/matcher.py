"""The matcher of MGRe: the distance of two final features, eq. 6."""

from __future__ import annotations

import torch
from torch import Tensor

from reidops_models.data import resize_image
from reidops_models.matching import LocatedRegions, VectorMatcher, device_of
from reidops_models.mgre.network import MgreNetwork


class MgreMatcher(VectorMatcher):
    """Images are resized to one size and compared by their final features, of unit length: one minus the cosine.

    Args:
        network: trained, and without boxes that must be given; put into evaluation mode by the caller.
        batch_size: images that pass the network together, at most.

    Raises:
        ValueError: the network needs the joints of every image, which a search does not have.

    Example:
        >>> from reidops_models.mgre.recipe import NetworkOptions
        >>> network = MgreNetwork(NetworkOptions(backbone="resnet50_ibn_a_slim"), (128, 64), identities=1).eval()
        >>> matcher = MgreMatcher(network)
        >>> probes, gallery = matcher.embed([torch.rand(3, 70, 64)]), matcher.embed([torch.rand(3, 128, 64)] * 2)
        >>> matcher.distances(probes, gallery).shape
        torch.Size([1, 2])
    """

    name = "MGRe"

    def __init__(self, network: MgreNetwork, *, batch_size: int = 64) -> None:
        if network.options.takes_boxes:
            raise ValueError(
                "MgreMatcher: a network of given boxes needs the joints of every image; it serves tables only"
            )
        super().__init__(network, network.image_size, batch_size=batch_size)
        self.network: MgreNetwork = network

    @torch.inference_mode()
    def explain(self, probe: Tensor, gallery: Tensor) -> LocatedRegions | None:
        """Where the regions of both images were located; None for a network that locates none."""
        network = self.network
        if not network.options.locates:
            return None
        images = [resize_image(image, *network.image_size) for image in (probe, gallery)]
        described = network.describe(torch.stack(images).to(device_of(network)))
        one, other = network.combine(network.features(described))
        names = [region.name for regions in network.regions().values() for region in regions]
        return LocatedRegions(
            distance=float(1 - one @ other),
            probe=images[0],
            gallery=images[1],
            names=names,
            boxes=torch.cat(list(described.boxes.values()), dim=1).cpu(),
        )
