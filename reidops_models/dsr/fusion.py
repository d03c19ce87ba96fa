"""AMC+SWM, the rival that comes nearest to DSR in its tables: a local and a global model together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reidops_models.dsr.patch_classifier import PatchClassifier
from reidops_models.dsr.sliding_window import SlidingWindowMatcher
from reidops_models.matching import Embedding, Explanation, Role


class AmcSwm(NamedTuple):
    """What each of the two keeps of an image."""

    amc: Any
    swm: Any


class FusedMatcher:
    """AMC and SWM with weights 0.7 and 0.3 (sec. 4.4).

    Their distances have different units, of which the paper says nothing. Here those of a probe are brought to [0, 1]
    over the gallery, the nearest image at 0 and the farthest at 1, before they are weighted.

    Args:
        amc, swm: the two.
        weight: of AMC; SWM has the rest.

    Attributes:
        sources: the names of the two. Where their distances are there already, `combine` needs no image.
    """

    name = "AMC+SWM"
    joint = True  # AMC is, and distances are brought to [0, 1] over the gallery

    def __init__(self, amc: PatchClassifier, swm: SlidingWindowMatcher, *, weight: float = 0.7) -> None:
        self.amc = amc
        self.swm = swm
        self.weight = weight
        self.sources = (amc.name, swm.name)

    @property
    def embedding(self) -> Embedding:
        """What the two make of each image."""
        return Embedding("both", options=(self.amc.embedding, self.swm.embedding))

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[AmcSwm]:
        """Both embeddings of each image."""
        images = list(images)
        amc, swm = (one.embed(images, role=role, progress=progress) for one in (self.amc, self.swm))
        return [AmcSwm(*both) for both in zip(amc, swm, strict=True)]

    def distances(self, probes: Sequence[AmcSwm], gallery: Sequence[AmcSwm], *, progress: bool = False) -> Tensor:
        """(P, G) weighted distances in [0, 1]."""
        amc = self.amc.distances([one.amc for one in probes], [one.amc for one in gallery], progress=progress)
        swm = self.swm.distances([one.swm for one in probes], [one.swm for one in gallery], progress=progress)
        return self.combine({self.amc.name: amc, self.swm.name: swm})

    def combine(self, distances: Mapping[str, Tensor]) -> Tensor:
        """(P, G) weighted distances in [0, 1], from those of the two."""
        return fuse(distances[self.amc.name], distances[self.swm.name], self.weight)

    def explain(self, probe: Tensor, gallery: Tensor) -> Explanation | None:
        """None, as of the two."""
        return None


def fuse(amc: Tensor, swm: Tensor, weight: float = 0.7) -> Tensor:
    """`weight` AMC + (1 - weight) SWM, each (P, G) brought to [0, 1] within its row.

    Example:
        >>> fuse(torch.tensor([[1.0, 3.0]]), torch.tensor([[8.0, 4.0]]))
        tensor([[0.3000, 0.7000]])
    """
    return weight * _within_rows(amc) + (1 - weight) * _within_rows(swm)


def _within_rows(distances: Tensor) -> Tensor:
    if not distances.numel():
        return distances
    low, high = distances.aminmax(dim=1, keepdim=True)
    return (distances - low) / (high - low).clamp(min=torch.finfo(distances.dtype).tiny)
