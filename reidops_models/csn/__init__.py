"""CSN: efficient and deep person re-identification using multi-level similarity (Guo, Cheung; CVPR 2018).

Parts of each image, found by localisation nets at several levels of a small trunk, are slid over the maps of the
other image (`reidops.depthwise_xcorr`, eq. 2); a classifier of the score maps says whether both show one person.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reidops_models.csn.matcher import CsnMatcher, RankingVectorMatcher
from reidops_models.csn.network import CsnNetwork
from reidops_models.csn.recipe import CsnRecipe
from reidops_models.paper import Methods, Paper

if TYPE_CHECKING:
    from lightning import LightningDataModule, LightningModule

    from reidops_models.training.data import TrainingImages


class CsnPaper(Paper[CsnRecipe, CsnNetwork]):
    """CSN. All images are resized, whatever their sizes."""

    name = "csn"
    recipe = CsnRecipe

    def build_network(self, recipe: CsnRecipe, identities: int) -> CsnNetwork:
        """The recipe's network with random weights; it knows pairs, not identities."""
        return CsnNetwork(recipe.network, recipe.images.size)

    def build_methods(
        self, network: CsnNetwork, recipe: CsnRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
    ) -> Methods:
        """One row: eq. 7."""
        return Methods(
            CsnMatcher(network, ranking=recipe.matching.ranking, epsilon=recipe.matching.epsilon),
            quick=RankingVectorMatcher(network),
        )

    def build_module(self, network: CsnNetwork, recipe: CsnRecipe) -> LightningModule:
        """Trains on pairs, eq. 6."""
        from reidops_models.csn.training import PairModule

        return PairModule(network, recipe)

    def build_data(self, images: TrainingImages, recipe: CsnRecipe) -> LightningDataModule:
        """Pairs of images.

        Raises:
            TrainingError: the images make no pairs.
        """
        from reidops_models.csn.pairs import CsnPairDataModule

        return CsnPairDataModule(images, recipe)

    def is_identity_weight(self, name: str) -> bool:
        """No weight belongs to the people of the training images: the classifier tells pairs, of one person or two."""
        return False


PAPER = CsnPaper()

__all__ = [
    "PAPER",
    "CsnMatcher",
    "CsnNetwork",
    "CsnPaper",
    "CsnRecipe",
    "RankingVectorMatcher",
]
