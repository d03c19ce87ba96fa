"""The matchers of DSR's tables: the Resizing model, and DSR with one or several block sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from reidops_models.dsr.network import DsrNetwork
from reidops_models.matching import BlockMatcher, Embedding, Half, Metric, VectorMatcher

Size = tuple[int, int]


class ResizingMatcher(VectorMatcher):
    """The Resizing model, sec. 4.2: probes and gallery images are resized to one size and compared as wholes.

    Args:
        network: trained; put into evaluation mode by the caller.
        image_size: (height, width) of the training images.
        pool: "flat", the paper's: all h*w*C values of the maps (15,360 for 320x120 and the FCN);
            "average": the C averages over locations.
        metric: "euclidean", the paper's, or "cosine" (one minus the cosine).
        batch_size: images that pass the network together, at most.
    """

    name = "Resizing model"

    def __init__(
        self,
        network: DsrNetwork,
        image_size: Size,
        *,
        pool: Literal["flat", "average"] = "flat",
        metric: Metric = "euclidean",
        batch_size: int = 64,
    ) -> None:
        super().__init__(network, image_size, metric=metric, batch_size=batch_size)
        self.network: DsrNetwork = network
        self.pool = pool

    @property
    def embedding(self) -> Embedding:
        """A vector of each image, by this network and pooling."""
        return Embedding("vector", self.network, (type(self).__qualname__, self.image_size, self.metric, self.pool))

    def vectors(self, images: Tensor) -> Tensor:
        """The maps of the images, flat or averaged; of unit length for the cosine."""
        maps = self.network.backbone(images)
        features = maps.mean(dim=(2, 3)) if self.pool == "average" else maps.flatten(1)
        return F.normalize(features, dim=1) if self.metric == "cosine" else features


class DsrMatcher(BlockMatcher):
    """Deep spatial feature reconstruction, sec. 3.2 and 3.4: the mean error of eq. 3 is the distance of eq. 4.

    Args:
        network: trained; put into evaluation mode by the caller.
        image_size: (height, width) of the training images, to which gallery images are resized.
        scales: block sizes, (1,) for the single-scale row and (1, 2, 3) for the multi-scale one.
        beta: sparsity of eq. 3.
        probe_scale: the factor by which probes are resized, `reidops_models.matching.probe_scale` of the gallery;
            1 leaves them as they are.
        name: of the row; made from the scales if None.
        batch_size: images of one size that pass the network together, at most.
        half: as of `BlockMatcher`.

    Example:
        >>> import torch
        >>> from reidops_models.dsr.recipe import NetworkOptions
        >>> network = DsrNetwork(NetworkOptions(backbone="resnet_slim"), identities=1).eval()
        >>> matcher = DsrMatcher(network, image_size=(128, 64), scales=(1, 2, 3))
        >>> gallery = matcher.embed([torch.rand(3, 128, 64), torch.rand(3, 200, 90)])
        >>> probes = matcher.embed([torch.rand(3, 70, 64)], role="probe")
        >>> matcher.distances(probes, gallery).shape
        torch.Size([1, 2])
    """

    def __init__(
        self,
        network: DsrNetwork,
        image_size: Size,
        *,
        scales: Sequence[int] = (1,),
        beta: float = 0.4,
        probe_scale: float = 1.0,
        name: str | None = None,
        batch_size: int = 64,
        half: Half = "none",
    ) -> None:
        super().__init__(
            network,
            image_size,
            scales=scales,
            beta=beta,
            probe_scale=probe_scale,
            batch_size=batch_size,
            half=half,
        )
        self.name = name or ("DSR single-scale" if self.scales == (1,) else "DSR multi-scale")
