"""Training of DSR: softmax pre-training, sec. 3.3 and fig. 5(a)."""

from __future__ import annotations

from reidops_models.backbones import load_torchvision_weights
from reidops_models.dsr.network import DsrNetwork
from reidops_models.dsr.recipe import DsrRecipe
from reidops_models.training.module import ReidModule


def build_module(network: DsrNetwork, recipe: DsrRecipe) -> ReidModule:
    """The module that trains the network as an identity classifier, from ImageNet weights where the recipe has some.

    Raises:
        WeightsError: the file of weights cannot be read or does not fit the backbone.
    """
    if recipe.network.weights is not None:
        load_torchvision_weights(network.backbone, recipe.network.weights)
    return ReidModule(network, recipe)
