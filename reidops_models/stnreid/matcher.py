"""The matchers of STNReID's tables: with the STN module, without it, and DSR on the same ReID module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from reidops_models.data import resize_image
from reidops_models.matching import (
    PAIR_MEMORY,
    Alignment,
    BlockMatcher,
    Embedding,
    Half,
    Metric,
    Role,
    device_of,
    embed_in_batches,
    vector_distances,
)
from reidops_models.stnreid.all_pairs import ImageFeature, affined_features, match_tiles
from reidops_models.stnreid.network import StnreidNetwork


class ReidMatcher:
    """The ReID module alone, "w/o STN": probes and gallery images are resized to one size and compared by f_p and f_h.

    Args:
        network: trained; put into evaluation mode by the caller.
        metric: "euclidean", or "cosine" (one minus the cosine).
        batch_size: images that pass the network together, at most.
    """

    name = "ReID module alone"

    def __init__(self, network: StnreidNetwork, *, metric: Metric = "euclidean", batch_size: int = 64) -> None:
        self.network = network
        self.metric = metric
        self.batch_size = batch_size

    @property
    def embedding(self) -> Embedding:
        """Each image, resized, and its feature. The metric does not change them."""
        return Embedding("image and feature", self.network)

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[ImageFeature]:
        """The image, resized, and its feature: all that later comparisons need; 0.4 MB an image of 256x128."""
        resized = [resize_image(image, *self.network.image_size) for image in images]
        features = embed_in_batches(
            self.network.embed, resized, batch_size=self.batch_size, progress=progress, device=device_of(self.network)
        )
        return [ImageFeature(image, feature) for image, feature in zip(resized, features, strict=True)]

    def distances(
        self, probes: Sequence[ImageFeature], gallery: Sequence[ImageFeature], *, progress: bool = False
    ) -> Tensor:
        """(P, G) distances of f_p and f_h."""
        return vector_distances(self._vectors(probes), self._vectors(gallery), self.metric)

    def explain(self, probe: Tensor, gallery: Tensor) -> Alignment | None:
        """None: the images are compared as wholes."""
        return None

    def _vectors(self, side: Sequence[ImageFeature]) -> list[Tensor]:
        if not side:
            return []
        features = torch.stack([one.feature for one in side])
        return list(F.normalize(features, dim=1) if self.metric == "cosine" else features)


class StnMatcher(ReidMatcher):
    """STNReID: each gallery image is cropped by the STN module to what the probe shows, then compared, f_p and f_a.

    Args:
        network, metric, batch_size: as of :class:`ReidMatcher`.
        memory_budget: bytes to be held at a time beside network and images, about.

    Example:
        >>> from reidops_models.stnreid.recipe import NetworkOptions
        >>> network = StnreidNetwork(NetworkOptions(backbone="resnet_slim"), (128, 64), identities=1).eval()
        >>> matcher = StnMatcher(network)
        >>> gallery = matcher.embed([torch.rand(3, 128, 64), torch.rand(3, 200, 90)])
        >>> probes = matcher.embed([torch.rand(3, 70, 64)], role="probe")
        >>> matcher.distances(probes, gallery).shape
        torch.Size([1, 2])
    """

    name = "STNReID"

    def __init__(
        self,
        network: StnreidNetwork,
        *,
        metric: Metric = "euclidean",
        batch_size: int = 64,
        memory_budget: int = PAIR_MEMORY,
    ) -> None:
        super().__init__(network, metric=metric, batch_size=batch_size)
        self.memory_budget = memory_budget

    def distances(
        self, probes: Sequence[ImageFeature], gallery: Sequence[ImageFeature], *, progress: bool = False
    ) -> Tensor:
        """(P, G) distances of f_p and f_a."""
        found = torch.zeros(len(probes), len(gallery), dtype=torch.float32)
        tiles = match_tiles(self.network, probes, gallery, memory_budget=self.memory_budget, progress=progress)
        for tile in tiles:
            features = torch.stack([one.feature for one in probes[tile.probes]])
            affined = affined_features(self.network, tile.images, tile.theta)
            found[tile.probes, tile.gallery] = distance(features[:, None], affined, self.metric).cpu()
        return found

    def thetas(
        self, probes: Sequence[ImageFeature], gallery: Sequence[ImageFeature], *, progress: bool = False
    ) -> Tensor:
        """(P, G, 2, 3) the theta of every pair."""
        found = torch.zeros(len(probes), len(gallery), 2, 3, dtype=torch.float32)
        for tile in match_tiles(self.network, probes, gallery, memory_budget=self.memory_budget, progress=progress):
            found[tile.probes, tile.gallery] = tile.theta.cpu()
        return found

    def explain(self, probe: Tensor, gallery: Tensor) -> Alignment:
        """The part of the gallery image that the probe was compared with."""
        left, right = self.embed([probe], role="probe"), self.embed([gallery])
        (tile,) = match_tiles(self.network, left, right, memory_budget=self.memory_budget)
        with torch.inference_mode():
            affined = self.network.affine(tile.images, tile.theta)[0]
            far = distance(left[0].feature, self.network.embed(affined), self.metric)
        return Alignment(
            distance=float(far),
            theta=tile.theta[0, 0].cpu(),
            probe=left[0].image,
            gallery=right[0].image,
            affined=affined[0].cpu(),
            align_corners=self.network.align_corners,
        )


class ReconstructionMatcher(BlockMatcher):
    """DSR on the same ReID module, "DSR(Our)" of table 4: the maps of a probe rebuilt from a gallery image's, the probe
    at its own size.

    Args:
        network: trained; put into evaluation mode by the caller.
        beta: sparsity.
        probe_scale: the factor by which probes are resized, `reidops_models.matching.probe_scale` of the gallery.
        batch_size: images of one size that pass the network together, at most.
        half: as of `BlockMatcher`.
    """

    name = "DSR"

    def __init__(
        self,
        network: StnreidNetwork,
        *,
        beta: float = 0.4,
        probe_scale: float = 1.0,
        batch_size: int = 64,
        half: Half = "none",
    ) -> None:
        super().__init__(
            network, network.image_size, beta=beta, probe_scale=probe_scale, batch_size=batch_size, half=half
        )
        self.network: StnreidNetwork = network

    def maps(self, images: Tensor) -> Tensor:
        """The maps of the ReID module's trunk, each location of unit length."""
        return F.normalize(self.network.backbone(images), dim=1)


def distance(a: Tensor, b: Tensor, metric: Metric) -> Tensor:
    """(*B) distances of features (*B, C), a pair each; batch dimensions broadcast."""
    if metric == "cosine":
        return 1 - (F.normalize(a, dim=-1) * F.normalize(b, dim=-1)).sum(dim=-1)
    return torch.linalg.vector_norm(a - b, dim=-1)
