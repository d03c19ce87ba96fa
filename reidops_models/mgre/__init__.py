"""MGRe: learning multi-granularity features from multi-granularity regions for person re-identification (Yang, Yang,
Tian; Neurocomputing 2021).

Body regions, fine ones behind the first residual block and coarse ones behind the third, are located, eq. 1 to 3,
sampled (`reidops.affine_sample`, eq. 4 and 5), and described by features of their own depth, eq. 6.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import Tensor

from reidops_models.mgre.matcher import MgreMatcher
from reidops_models.mgre.network import MgreNetwork
from reidops_models.mgre.recipe import MgreRecipe
from reidops_models.paper import Methods, Paper

if TYPE_CHECKING:
    from lightning import LightningDataModule, LightningModule

    from reidops_models.training.data import TrainingImages


class MgrePaper(Paper[MgreRecipe, MgreNetwork]):
    """MGRe. All images are resized, whatever their sizes."""

    name = "mgre"
    recipe = MgreRecipe

    def build_network(self, recipe: MgreRecipe, identities: int) -> MgreNetwork:
        """The recipe's network with random weights."""
        return MgreNetwork(recipe.network, recipe.images.size, identities)

    def build_methods(
        self, network: MgreNetwork, recipe: MgreRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
    ) -> Methods:
        """One row: the cosine of final features."""
        return Methods(MgreMatcher(network))

    def build_module(self, network: MgreNetwork, recipe: MgreRecipe) -> LightningModule:
        """Trains by eq. 7 to 9.

        Raises:
            WeightsError: the recipe's ImageNet weights cannot be read or do not fit the backbone.
        """
        from reidops_models.mgre.training import build_module

        return build_module(network, recipe)

    def build_data(self, images: TrainingImages, recipe: MgreRecipe) -> LightningDataModule:
        """Images and labels, with joints where the network learns from them.

        Raises:
            TrainingError: the recipe needs joints, and there are none.
        """
        from reidops_models.mgre.training import build_data

        return build_data(images, recipe)

    def extract(self, network: MgreNetwork, recipe: MgreRecipe, images: Tensor) -> Tensor:
        """Final features (B, C) of unit length."""
        return network.embed(images)


PAPER = MgrePaper()

__all__ = [
    "PAPER",
    "MgreMatcher",
    "MgreNetwork",
    "MgrePaper",
    "MgreRecipe",
]
