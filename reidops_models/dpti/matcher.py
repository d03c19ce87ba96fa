"""The matcher of DPTI: one minus the cosine of two descriptors."""

from __future__ import annotations

import torch
from torch import Tensor

from reidops_models.data import resize_image
from reidops_models.dpti.network import DptiNetwork
from reidops_models.matching import PartAttention, VectorMatcher, device_of


class DptiMatcher(VectorMatcher):
    """Images are resized to one size and compared by their descriptors.

    Args:
        network: trained; put into evaluation mode by the caller.
        batch_size: images that pass the network together, at most.

    Example:
        >>> from reidops_models.dpti.recipe import NetworkOptions
        >>> options = NetworkOptions(backbone="resnet50_slim", dimensions=64)
        >>> network = DptiNetwork(options, (128, 64), identities=1).eval()
        >>> matcher = DptiMatcher(network)
        >>> probes, gallery = matcher.embed([torch.rand(3, 70, 64)]), matcher.embed([torch.rand(3, 128, 64)] * 2)
        >>> matcher.distances(probes, gallery).shape
        torch.Size([1, 2])
    """

    name = "DPTI"

    def __init__(self, network: DptiNetwork, *, batch_size: int = 64) -> None:
        super().__init__(network, network.image_size, batch_size=batch_size)
        self.network: DptiNetwork = network

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
