"""CSN: efficient and deep person re-identification using multi-level similarity (Guo, Cheung; CVPR 2018).

Parts of each image, found by localisation nets at several levels of a small trunk, are slid over the maps of the
other image (`reidops.depthwise_xcorr`, eq. 2); a classifier of the score maps says whether both show one person.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reidops_models.csn.matcher import CsnMatcher
from reidops_models.csn.network import CsnNetwork
from reidops_models.csn.recipe import CsnRecipe
from reidops_models.matching import Matcher
from reidops_models.registry import Paper, deferred


def build_network(recipe: CsnRecipe, identities: int) -> CsnNetwork:
    """The recipe's network with random weights; it knows pairs, not identities."""
    return CsnNetwork(recipe.network, recipe.images.size)


def build_matchers(
    network: CsnNetwork, recipe: CsnRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
) -> list[Matcher]:
    """One row: eq. 7. All images are resized, whatever their sizes."""
    return [CsnMatcher(network, ranking=recipe.matching.ranking, epsilon=recipe.matching.epsilon)]


PAPER = Paper(
    name="csn",
    recipe=CsnRecipe,
    build_network=build_network,
    build_matchers=build_matchers,
    build_module=deferred(f"{__name__}.training", "build_module"),
    folder=Path(__file__).parent,
    build_data=deferred(f"{__name__}.training", "build_data"),
)

__all__ = ["PAPER", "CsnMatcher", "CsnNetwork", "CsnRecipe", "build_matchers", "build_network"]
