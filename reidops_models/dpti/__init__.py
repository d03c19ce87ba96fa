"""DPTI: dynamic template initialization for part-aware person re-ID (Abeywardena et al., 2022).

Templates of parts are made from each image's own mid-level features, eq. 5 and 6, and find the parts in its last
maps, eq. 7. An image's descriptor is its global vector and its part vectors, compared by the cosine.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from torch import Tensor

from reidops_models.dpti.matcher import DptiMatcher
from reidops_models.dpti.network import DptiNetwork
from reidops_models.dpti.recipe import DptiRecipe
from reidops_models.paper import Methods, Paper

if TYPE_CHECKING:
    from lightning import LightningModule


class DptiPaper(Paper[DptiRecipe, DptiNetwork]):
    """DPTI. All images are resized, whatever their sizes."""

    name = "dpti"
    recipe = DptiRecipe

    def build_network(self, recipe: DptiRecipe, identities: int) -> DptiNetwork:
        """The recipe's network with random weights."""
        return DptiNetwork(recipe.network, recipe.images.size, identities)

    def build_methods(
        self, network: DptiNetwork, recipe: DptiRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
    ) -> Methods:
        """One row: the cosine of descriptors."""
        return Methods(DptiMatcher(network))

    def build_module(self, network: DptiNetwork, recipe: DptiRecipe) -> LightningModule:
        """Trains by eq. 9.

        Raises:
            WeightsError: the recipe's ImageNet weights cannot be read or do not fit the backbone.
        """
        from reidops_models.dpti.training import build_module

        return build_module(network, recipe)

    def extract(self, network: DptiNetwork, recipe: DptiRecipe, images: Tensor) -> Tensor:
        """Descriptors (B, (N + 1) d) of unit length."""
        return network.embed(images)


PAPER = DptiPaper()

__all__ = [
    "PAPER",
    "DptiMatcher",
    "DptiNetwork",
    "DptiPaper",
    "DptiRecipe",
]
