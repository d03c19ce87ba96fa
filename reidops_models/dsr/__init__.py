"""DSR: Deep Spatial feature Reconstruction for partial person re-identification (He, Liang, Li, Sun; CVPR 2018).

A probe of any size is matched without alignment: its map's blocks are rebuilt as sparse combinations of a gallery
image's blocks, and what cannot be rebuilt is the distance (eq. 3 and 4).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reidops_models.dsr.fusion import FusedMatcher
from reidops_models.dsr.matcher import DsrMatcher, ResizingMatcher
from reidops_models.dsr.network import DsrNetwork
from reidops_models.dsr.patch_classifier import PatchClassifier
from reidops_models.dsr.recipe import DsrRecipe
from reidops_models.dsr.sliding_window import SlidingWindowMatcher
from reidops_models.matching import Matcher, probe_scale
from reidops_models.registry import Paper, deferred


def build_network(recipe: DsrRecipe, identities: int) -> DsrNetwork:
    """The recipe's network with random weights."""
    return DsrNetwork(recipe.network, identities)


def build_matchers(
    network: DsrNetwork, recipe: DsrRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
) -> list[Matcher]:
    """The rows of table 1 that need no more than the network: Resizing model, DSR single-scale and multi-scale.

    Args:
        gallery_sizes: (height, width) of the gallery images, from which the scale of the probes follows
            (`reidops_models.matching.probe_scale`); None where probes are at the network's scale already.
    """
    size, options = recipe.images.size, recipe.matching
    scale = 1.0 if gallery_sizes is None else probe_scale(gallery_sizes, size)
    return [
        ResizingMatcher(network, size, pool=options.resizing_pool, metric=options.resizing_metric),
        DsrMatcher(network, size, scales=(1,), beta=options.beta, probe_scale=scale),
        DsrMatcher(network, size, scales=options.scales, beta=options.beta, probe_scale=scale),
    ]


def build_rivals(
    network: DsrNetwork, recipe: DsrRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
) -> list[Matcher]:
    """The other rows of tables 1 and 2: SWM, AMC, and both together. Arguments as of :func:`build_matchers`."""
    size, options = recipe.images.size, recipe.matching
    scale = 1.0 if gallery_sizes is None else probe_scale(gallery_sizes, size)
    stride = network.backbone.stride
    swm = SlidingWindowMatcher(network, size, step=options.swm_step or stride, probe_scale=scale)
    patch = options.amc_patch or 2 * stride
    amc = PatchClassifier(network, size, patch=patch, beta=options.beta, probe_scale=scale)
    return [swm, amc, FusedMatcher(amc, swm, weight=options.amc_weight)]


PAPER = Paper(
    name="dsr",
    recipe=DsrRecipe,
    build_network=build_network,
    build_matchers=build_matchers,
    build_module=deferred(f"{__name__}.training", "build_module"),
    folder=Path(__file__).parent,
    build_data=deferred(f"{__name__}.training", "build_data"),
    build_rivals=build_rivals,
)

__all__ = [
    "PAPER",
    "DsrMatcher",
    "DsrNetwork",
    "DsrRecipe",
    "FusedMatcher",
    "PatchClassifier",
    "ResizingMatcher",
    "SlidingWindowMatcher",
    "build_matchers",
    "build_network",
    "build_rivals",
]
