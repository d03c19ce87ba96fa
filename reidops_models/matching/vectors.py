"""Matching by one vector per image: what the matchers share whose networks make such a vector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from reidops_models.data import resize_image
from reidops_models.matching.batches import Prepared, device_of, embed_in_batches
from reidops_models.matching.explanations import Explanation
from reidops_models.matching.interface import Embedding, Role

Metric = Literal["euclidean", "cosine"]


class VectorMatcher:
    """Images are resized to one size and compared by their vectors.

    A paper's matcher gives the name of its row. It overrides `vectors` where the network's answer is no vector, and
    `explain` where it can explain a pair; `embedding` too, where more options of its own change the vectors.

    Args:
        network: images (B, 3, H, W) in [0, 1] -> vectors (B, C); put into evaluation mode by the caller.
        image_size: (height, width) to which images are resized.
        metric: "cosine" (one minus the cosine; vectors have unit length) or "euclidean".
        batch_size: images that pass the network together, at most.

    Example:
        >>> matcher = VectorMatcher(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 4, 5)), (8, 4), metric="euclidean")
        >>> probes, gallery = matcher.embed([torch.rand(3, 9, 9)]), matcher.embed([torch.rand(3, 16, 8)] * 2)
        >>> matcher.distances(probes, gallery).shape
        torch.Size([1, 2])
    """

    name = "vectors"

    def __init__(
        self, network: nn.Module, image_size: tuple[int, int], *, metric: Metric = "cosine", batch_size: int = 64
    ) -> None:
        self.network = network
        self.image_size = image_size
        self.metric: Metric = metric
        self.batch_size = batch_size

    def vectors(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) of `image_size` -> vectors (B, C), of unit length for the cosine."""
        vectors: Tensor = self.network(images)
        return vectors

    @property
    def embedding(self) -> Embedding:
        """A vector of each image, by this network."""
        return Embedding("vector", self.network, (type(self).__qualname__, self.image_size, self.metric))

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        """The vector (C,) of each image."""
        resized = Prepared(lambda image: resize_image(image, *self.image_size), images)
        return embed_in_batches(
            self.vectors, resized, batch_size=self.batch_size, progress=progress, device=device_of(self.network)
        )

    def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
        """(P, G) Euclidean distances, or one minus the cosine."""
        return vector_distances(probes, gallery, self.metric)

    def explain(self, probe: Tensor, gallery: Tensor) -> Explanation | None:
        """None: the images are compared as wholes."""
        return None


def vector_distances(probes: Tensor | Sequence[Tensor], gallery: Tensor | Sequence[Tensor], metric: Metric) -> Tensor:
    """(P, G) distances of P and G vectors (C,), on the CPU; for the cosine they have unit length.

    A side may be one tensor, (P, C) or (G, C).

    Example:
        >>> vector_distances([torch.tensor([0.0, 1.0])], [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])], "cosine")
        tensor([[1., 0.]])
    """
    if not len(probes) or not len(gallery):
        return torch.zeros(len(probes), len(gallery), dtype=torch.float32)
    left, right = (side if isinstance(side, Tensor) else torch.stack(list(side)) for side in (probes, gallery))
    return (1 - left @ right.mT if metric == "cosine" else torch.cdist(left, right)).cpu()
