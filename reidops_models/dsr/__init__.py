"""DSR: Deep Spatial feature Reconstruction for partial person re-identification (He, Liang, Li, Sun; CVPR 2018).

A probe of any size is matched without alignment: its map's blocks are rebuilt as sparse combinations of a gallery
image's blocks, and what cannot be rebuilt is the distance (eq. 3 and 4).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from reidops_models.dsr.fusion import FusedMatcher
from reidops_models.dsr.matcher import DsrMatcher, ResizingMatcher
from reidops_models.dsr.network import DsrNetwork
from reidops_models.dsr.patch_classifier import PatchClassifier
from reidops_models.dsr.recipe import DsrRecipe
from reidops_models.dsr.sliding_window import SlidingWindowMatcher
from reidops_models.matching import MapAverageMatcher, Matcher, probe_scale
from reidops_models.paper import Methods, Paper

if TYPE_CHECKING:
    from lightning import LightningDataModule, LightningModule

    from reidops_models.training.data import TrainingImages


class DsrPaper(Paper[DsrRecipe, DsrNetwork]):
    """DSR. Probes keep their scale relative to the gallery."""

    name = "dsr"
    recipe = DsrRecipe
    other_options = frozenset({"resizing_pool", "resizing_metric"})
    rival_options = frozenset({"swm_step", "amc_patch", "amc_weight"})

    def build_network(self, recipe: DsrRecipe, identities: int) -> DsrNetwork:
        """The recipe's network with random weights."""
        return DsrNetwork(recipe.network, identities)

    def build_methods(
        self, network: DsrNetwork, recipe: DsrRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
    ) -> Methods:
        """The rows of table 1 that need no more than the network: Resizing model, DSR single-scale and multi-scale."""
        size, options = recipe.images.size, recipe.matching
        scale = 1.0 if gallery_sizes is None else probe_scale(gallery_sizes, size)
        beta, half = options.beta, options.half
        method = DsrMatcher(network, size, scales=options.scales, beta=beta, probe_scale=scale, half=half)
        return Methods(
            method,
            quick=MapAverageMatcher(method),
            others=(
                ResizingMatcher(network, size, pool=options.resizing_pool, metric=options.resizing_metric),
                DsrMatcher(network, size, scales=(1,), beta=beta, probe_scale=scale, half=half),
            ),
        )

    def build_rivals(
        self, network: DsrNetwork, recipe: DsrRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
    ) -> tuple[Matcher, ...]:
        """The other rows of tables 1 and 2: SWM, AMC, and both together."""
        size, options = recipe.images.size, recipe.matching
        scale = 1.0 if gallery_sizes is None else probe_scale(gallery_sizes, size)
        stride = network.backbone.stride
        swm = SlidingWindowMatcher(network, size, step=options.swm_step or stride, probe_scale=scale)
        patch = options.amc_patch or 2 * stride
        amc = PatchClassifier(network, size, patch=patch, beta=options.beta, probe_scale=scale)
        return swm, amc, FusedMatcher(amc, swm, weight=options.amc_weight)

    def build_module(self, network: DsrNetwork, recipe: DsrRecipe) -> LightningModule:
        """Fine-tunes on pairs, eq. 5, where the recipe has `fine_tuning`; else a classifier of images.

        Raises:
            WeightsError: the recipe's ImageNet weights cannot be read or do not fit the backbone.
        """
        from reidops_models.dsr.training import build_module

        return build_module(network, recipe)

    def build_data(self, images: TrainingImages, recipe: DsrRecipe) -> LightningDataModule:
        """Pairs where the recipe has `fine_tuning`; else images and labels.

        Raises:
            TrainingError: the images make no pairs.
        """
        from reidops_models.dsr.training import build_data

        return build_data(images, recipe)

    def tiny(self, values: dict[str, Any]) -> dict[str, Any]:
        """Of a fine-tuning, also fewer pairs."""
        values = super().tiny(values)
        if values.get("fine_tuning"):
            values["fine_tuning"] |= {"positive_pairs": 8, "negative_pairs": 8}
        return values


PAPER = DsrPaper()

__all__ = [
    "PAPER",
    "DsrMatcher",
    "DsrNetwork",
    "DsrPaper",
    "DsrRecipe",
    "FusedMatcher",
    "PatchClassifier",
    "ResizingMatcher",
    "SlidingWindowMatcher",
]
