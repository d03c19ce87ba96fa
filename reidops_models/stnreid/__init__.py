"""STNReID: partial person re-identification with pairwise spatial transformer networks (Luo, Fan, Zhang, Jiang; IEEE
Transactions on Multimedia 2020).

An STN module crops each gallery image to the part that the probe shows, eq. 1 and 2, and a ReID module compares the
two, eq. 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch import Tensor
from torch.nn import functional as F

from reidops_models.matching import Matcher, probe_scale
from reidops_models.registry import Paper, deferred
from reidops_models.stnreid.matcher import ReconstructionMatcher, ReidMatcher, StnMatcher
from reidops_models.stnreid.network import StnreidNetwork
from reidops_models.stnreid.recipe import StnreidRecipe


def build_network(recipe: StnreidRecipe, identities: int) -> StnreidNetwork:
    """The recipe's network with random weights."""
    return StnreidNetwork(recipe.network, recipe.images.size, identities)


def build_matchers(
    network: StnreidNetwork, recipe: StnreidRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
) -> list[Matcher]:
    """The rows of table 3: without the STN module and with it. Both resize all images, whatever their sizes."""
    metric = recipe.matching.metric
    return [ReidMatcher(network, metric=metric), StnMatcher(network, metric=metric)]


def build_rivals(
    network: StnreidNetwork, recipe: StnreidRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
) -> list[Matcher]:
    """DSR on the same ReID module, table 4. Arguments as of :func:`build_matchers`; DSR needs the probes' scale."""
    scale = 1.0 if gallery_sizes is None else probe_scale(gallery_sizes, recipe.images.size)
    return [ReconstructionMatcher(network, beta=recipe.matching.beta, probe_scale=scale)]


def extract(network: StnreidNetwork, recipe: StnreidRecipe, images: Tensor) -> Tensor:
    """The ReID module's features (B, C), of unit length where the recipe compares them by the cosine."""
    features = network.embed(images)
    return F.normalize(features, dim=1) if recipe.matching.metric == "cosine" else features


PAPER = Paper(
    name="stnreid",
    recipe=StnreidRecipe,
    build_network=build_network,
    build_matchers=build_matchers,
    build_module=deferred(f"{__name__}.training", "build_module"),
    folder=Path(__file__).parent,
    build_data=deferred(f"{__name__}.training", "build_data"),
    build_rivals=build_rivals,
    extract=extract,
)

__all__ = [
    "PAPER",
    "ReconstructionMatcher",
    "ReidMatcher",
    "StnMatcher",
    "StnreidNetwork",
    "StnreidRecipe",
    "build_matchers",
    "build_network",
    "build_rivals",
]
