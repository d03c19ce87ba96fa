"""A toy paper: people are told apart by the mean colours of a few horizontal stripes."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from reidops_models.paper import Methods, Paper
from toy_paper.matcher import StripeMatcher
from toy_paper.network import StripeNetwork
from toy_paper.recipe import ToyRecipe


class ToyPaper(Paper[ToyRecipe, StripeNetwork]):
    """The least that a paper has to say, and a descriptor."""

    name = "toy"
    recipe = ToyRecipe

    def build_network(self, recipe: ToyRecipe, identities: int) -> StripeNetwork:
        """The recipe's network with random weights."""
        return StripeNetwork(recipe.network.stripes, identities)

    def build_methods(
        self, network: StripeNetwork, recipe: ToyRecipe, gallery_sizes: Iterable[tuple[int, int]] | None = None
    ) -> Methods:
        """One row: the cosine of the stripes' colours. All images are resized."""
        return Methods(StripeMatcher(network, recipe.images.size, contrast=recipe.matching.contrast))

    def extract(self, network: StripeNetwork, recipe: ToyRecipe, images: Tensor) -> Tensor:
        """Colours of the stripes (B, 3 S), of unit length."""
        return network(images)


PAPER = ToyPaper()
