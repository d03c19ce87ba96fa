"""STNReID: partial person re-identification with pairwise spatial transformer networks (Luo, Fan, Zhang, Jiang; IEEE
Transactions on Multimedia 2020).

An STN module crops each gallery image to the part that the probe shows, eq. 1 and 2, and a ReID module compares the
two, eq. 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional as F

from reidops_models.matching import Matcher, probe_scale
from reidops_models.paper import Methods, Paper
from reidops_models.stnreid.matcher import ReconstructionMatcher, ReidMatcher, StnMatcher
from reidops_models.stnreid.network import StnreidNetwork
from reidops_models.stnreid.recipe import StnreidRecipe

if TYPE_CHECKING:
    from lightning import LightningDataModule, LightningModule

    from reidops_models.training.data import TrainingImages


class StnreidPaper(Paper[StnreidRecipe, StnreidNetwork]):
    """STNReID. Its own methods resize all images, whatever their sizes; its rival does not."""

    name = "stnreid"
    recipe = StnreidRecipe
    rival_options = frozenset({"beta", "half"})

    def build_network(self, recipe: StnreidRecipe, identities: int) -> StnreidNetwork:
        """The recipe's network with random weights."""
        return StnreidNetwork(recipe.network, recipe.images.size, identities)

    def build_methods(
        self, network: StnreidNetwork, recipe: StnreidRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
    ) -> Methods:
        """The rows of table 3: without the STN module, and with it, which is the method."""
        metric = recipe.matching.metric
        alone = ReidMatcher(network, metric=metric)
        return Methods(StnMatcher(network, metric=metric), others=(alone,), quick=alone)

    def build_rivals(
        self, network: StnreidNetwork, recipe: StnreidRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
    ) -> tuple[Matcher, ...]:
        """DSR on the same ReID module, table 4. It needs the probes' scale."""
        scale = 1.0 if gallery_sizes is None else probe_scale(gallery_sizes, recipe.images.size)
        options = recipe.matching
        return (ReconstructionMatcher(network, beta=options.beta, probe_scale=scale, half=options.half),)

    def build_module(self, network: StnreidNetwork, recipe: StnreidRecipe) -> LightningModule:
        """Trains on triples, eq. 6, where the recipe has `stn`; else a classifier of images.

        Raises:
            WeightsError: the recipe's ImageNet weights cannot be read or do not fit the backbone.
        """
        from reidops_models.stnreid.training import build_module

        return build_module(network, recipe)

    def build_data(self, images: TrainingImages, recipe: StnreidRecipe) -> LightningDataModule:
        """Triples where the recipe has `stn`; else images and labels.

        Raises:
            TrainingError: the images make no such batches.
        """
        from reidops_models.stnreid.training import build_data

        return build_data(images, recipe)

    def extract(self, network: StnreidNetwork, recipe: StnreidRecipe, images: Tensor) -> Tensor:
        """The ReID module's features (B, C), of unit length where the recipe compares them by the cosine."""
        features = network.embed(images)
        return F.normalize(features, dim=1) if recipe.matching.metric == "cosine" else features


PAPER = StnreidPaper()

__all__ = [
    "PAPER",
    "ReconstructionMatcher",
    "ReidMatcher",
    "StnMatcher",
    "StnreidNetwork",
    "StnreidPaper",
    "StnreidRecipe",
]
