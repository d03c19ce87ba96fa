"""Training of DPTI, eq. 9: the losses of the whole descriptor, and the diversity of its parts."""

from __future__ import annotations

from torch import Tensor

from reidops_models.backbones import load_pretrained
from reidops_models.dpti.losses import diversity_loss
from reidops_models.dpti.network import DptiNetwork, Predictions
from reidops_models.dpti.recipe import DptiRecipe
from reidops_models.training.module import ReidModule


class DptiModule(ReidModule):
    """L = alpha L_class + beta L_tri + gamma L_div."""

    def __init__(self, network: DptiNetwork, recipe: DptiRecipe) -> None:
        super().__init__(network, recipe)
        self.diversity = recipe.objective.diversity

    def loss(self, predictions: Predictions, labels: Tensor) -> Tensor:  # type: ignore[override]  # that have parts
        diversity = diversity_loss(predictions.parts)
        self.log("loss/diversity", diversity.detach(), on_step=False, on_epoch=True, sync_dist=True)
        return super().loss(predictions, labels) + self.diversity * diversity


def build_module(network: DptiNetwork, recipe: DptiRecipe) -> DptiModule:
    """The module that trains the network; starts from ImageNet weights where the recipe has some.

    Raises:
        WeightsError: the file of weights cannot be read or does not fit the backbone.
    """
    if recipe.network.weights is not None:
        load_pretrained(network.backbone, recipe.network.weights)
    return DptiModule(network, recipe)
