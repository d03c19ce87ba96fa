"""MGRe: learning multi-granularity features from multi-granularity regions for person re-identification (Yang, Yang,
Tian; Neurocomputing 2021).

Body regions, fine ones behind the first residual block and coarse ones behind the third, are located, eq. 1 to 3,
sampled (`reidops.affine_sample`, eq. 4 and 5), and described by features of their own depth, eq. 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor

from reidops_models.matching import Matcher
from reidops_models.mgre.matcher import MgreMatcher
from reidops_models.mgre.network import MgreNetwork
from reidops_models.mgre.recipe import MgreRecipe
from reidops_models.registry import Paper, deferred


def build_network(recipe: MgreRecipe, identities: int) -> MgreNetwork:
    """The recipe's network with random weights."""
    return MgreNetwork(recipe.network, recipe.images.size, identities)


def build_matchers(
    network: MgreNetwork, recipe: MgreRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
) -> list[Matcher]:
    """One row: the cosine of final features. All images are resized, whatever their sizes."""
    return [MgreMatcher(network)]


def extract(network: MgreNetwork, recipe: MgreRecipe, images: Tensor) -> Tensor:
    """Final features of unit length."""
    return network.embed(images)


PAPER = Paper(
    name="mgre",
    recipe=MgreRecipe,
    build_network=build_network,
    build_matchers=build_matchers,
    build_module=deferred(f"{__name__}.training", "build_module"),
    folder=Path(__file__).parent,
    build_data=deferred(f"{__name__}.training", "build_data"),
    extract=extract,
)

__all__ = ["PAPER", "MgreMatcher", "MgreNetwork", "MgreRecipe", "build_matchers", "build_network"]
