"""Training of DPTI, eq. 9: the losses of the whole descriptor, and the diversity of its parts."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from reidops_models.backbones import load_pretrained
from reidops_models.dpti.network import DptiNetwork, DptiPredictions
from reidops_models.dpti.recipe import DptiRecipe
from reidops_models.training.module import ReidModule


def diversity_loss(parts: Tensor) -> Tensor:
    r"""L_div, eq. 10: the mean squared cosine between two different part vectors of an image, over the batch.

    .. math::
        \frac{1}{N (N - 1)} \sum_{i \neq j} \frac{\langle f_i, f_j \rangle^2}{\|f_i\|^2 \|f_j\|^2}

    Squared, so that the least there is, 0, is parts at right angles, and not opposite ones.

    Args:
        parts: (B, N, d) part vectors. A vector of zeros is at right angles to all.

    Returns:
        A scalar in [0, 1]; 0 for fewer than two parts.

    Raises:
        ValueError: not three dimensions.

    Example:
        >>> import torch
        >>> diversity_loss(torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [-3.0, -3.0]]]))
        tensor(0.5000)
    """
    if parts.ndim != 3:
        raise ValueError(f"diversity_loss: parts must be (B, N, d), got {tuple(parts.shape)}")
    count = parts.shape[1]
    if count < 2:
        return parts.sum() * 0
    unit = F.normalize(parts, dim=2)
    squared = (unit @ unit.mT).square()
    others = squared.sum(dim=(1, 2)) - squared.diagonal(dim1=1, dim2=2).sum(dim=1)
    return others.mean() / (count * (count - 1))


class DptiModule(ReidModule):
    """L = alpha L_class + beta L_tri + gamma L_div."""

    def __init__(self, network: DptiNetwork, recipe: DptiRecipe) -> None:
        super().__init__(network, recipe)
        self.diversity = recipe.objective.diversity

    def loss(self, predictions: DptiPredictions, labels: Tensor) -> Tensor:  # type: ignore[override]  # that have parts
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
