"""The matcher of CSN: the similarity score of eq. 7."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from reidops_models.csn.all_pairs import compare_all
from reidops_models.csn.network import CsnDescription, CsnNetwork
from reidops_models.data import resize_image
from reidops_models.matching import (
    PAIR_MEMORY,
    Embedding,
    Prepared,
    Role,
    ScoreMaps,
    VectorMatcher,
    device_of,
    embed_in_batches,
)


class RankingVectorMatcher(VectorMatcher):
    """The vectors of CSN's ranking net alone, eq. 5, of all images in one product. No pair passes a network."""

    name = "CSN ranking vectors"

    def __init__(self, network: CsnNetwork, *, batch_size: int = 64) -> None:
        super().__init__(network, network.image_size, metric="euclidean", batch_size=batch_size)
        self._whole = CsnMatcher(network, batch_size=batch_size)

    @property
    def source(self) -> Embedding:
        """A description of each image."""
        return self._whole.embedding

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        """The vector (256,) of each image, of unit length."""
        return self.derive(self._whole.embed(images, role=role, progress=progress))

    def derive(self, embedded: Sequence[CsnDescription]) -> list[Tensor]:
        """The vectors of descriptions that are there."""
        return [one.vectors for one in embedded]


class CsnMatcher:
    r"""Every probe is compared with every gallery image by the network of pairs; the distance of a pair is minus its
    score, eq. 7: :math:`-(s_{softmax} + \lambda / (d + \epsilon))`.

    Args:
        network: trained; put into evaluation mode by the caller.
        ranking, epsilon: lambda and epsilon.
        batch_size: images that pass the trunk together, at most.
        memory_budget: bytes to be held at a time beside network and descriptions, about.

    Example:
        >>> from reidops_models.csn.recipe import NetworkOptions
        >>> matcher = CsnMatcher(CsnNetwork(NetworkOptions(), (160, 60)).eval())
        >>> probes, gallery = matcher.embed([torch.rand(3, 128, 64)]), matcher.embed([torch.rand(3, 160, 60)] * 2)
        >>> matcher.distances(probes, gallery).shape
        torch.Size([1, 2])
    """

    name = "CSN"

    def __init__(
        self,
        network: CsnNetwork,
        *,
        ranking: float = 0.2,
        epsilon: float = 1e-4,
        batch_size: int = 64,
        memory_budget: int = PAIR_MEMORY,
    ) -> None:
        self.network = network
        self.ranking = ranking
        self.epsilon = epsilon
        self.batch_size = batch_size
        self.memory_budget = memory_budget

    @property
    def embedding(self) -> Embedding:
        """A description of each image."""
        return Embedding("description", self.network)

    def embed(
        self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False
    ) -> list[CsnDescription]:
        """The description of each image, resized: all that later comparisons need. 0.4 MB an image of 160x60."""
        resized = Prepared(lambda image: resize_image(image, *self.network.image_size), images)
        return embed_in_batches(
            lambda batch: self.network.describe(batch).unbind(),
            resized,
            batch_size=self.batch_size,
            progress=progress,
            device=device_of(self.network),
        )

    def distances(
        self, probes: Sequence[CsnDescription], gallery: Sequence[CsnDescription], *, progress: bool = False
    ) -> Tensor:
        """(P, G), minus the scores of eq. 7."""
        found = torch.zeros(len(probes), len(gallery), dtype=torch.float32)
        if not probes or not gallery:
            return found
        tiles = compare_all(self.network, probes, gallery, memory_budget=self.memory_budget, progress=progress)
        for tile in tiles:
            score = tile.matched + self.ranking / (tile.distance + self.epsilon)
            found[tile.probes, tile.gallery] = -score.cpu()
        return found

    @torch.inference_mode()
    def explain(self, probe: Tensor, gallery: Tensor) -> ScoreMaps:
        """Where in the gallery image each part of the probe was found: eq. 2, the mean over the channels."""
        network = self.network
        images = [resize_image(image, *network.image_size) for image in (probe, gallery)]
        described = network.describe(torch.stack(images).to(device_of(network)))
        one, other = described.unbind()
        (tile,) = compare_all(network, [one], [other])
        forth = [maps[0, 0].mean(dim=1).cpu() for maps in network.score_maps(described[:1], described[1:])]
        names = [f"level {level}" for level in network.levels]
        matched, d = float(tile.matched), float(tile.distance)
        return ScoreMaps(
            distance=-(matched + self.ranking / (d + self.epsilon)),
            facts=f"one person: {100 * matched:.1f} %, ranking distance {d:.3f}",
            probe=images[0],
            gallery=images[1],
            maps=dict(zip(names, forth, strict=True)),
            parts=dict(zip(names, (corners[0].cpu() for corners in network.corners(described[:1])), strict=True)),
        )
