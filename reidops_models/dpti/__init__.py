"""DPTI: dynamic template initialization for part-aware person re-ID (Abeywardena et al., 2022).

Templates of parts are made from each image's own mid-level features, eq. 5 and 6, and find the parts in its last
maps, eq. 7. An image's descriptor is its global vector and its part vectors, compared by the cosine.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from reidops_models.dpti.matcher import DptiMatcher
from reidops_models.dpti.network import DptiNetwork
from reidops_models.dpti.recipe import DptiRecipe
from reidops_models.matching import Matcher
from reidops_models.registry import Paper, deferred


def build_network(recipe: DptiRecipe, identities: int) -> DptiNetwork:
    """The recipe's network with random weights."""
    return DptiNetwork(recipe.network, recipe.images.size, identities)


def build_matchers(
    network: DptiNetwork, recipe: DptiRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
) -> list[Matcher]:
    """One row: the cosine of descriptors. All images are resized, whatever their sizes."""
    return [DptiMatcher(network)]


def extract(network: DptiNetwork, recipe: DptiRecipe, images: Tensor) -> Tensor:
    """Descriptors (B, (N + 1) d) of unit length."""
    return network.embed(images)


PAPER = Paper(
    name="dpti",
    recipe=DptiRecipe,
    build_network=build_network,
    build_matchers=build_matchers,
    build_module=deferred(f"{__name__}.training", "build_module"),
    folder=Path(__file__).parent,
    extract=extract,
)

__all__ = ["PAPER", "DptiMatcher", "DptiNetwork", "DptiRecipe", "build_matchers", "build_network"]
