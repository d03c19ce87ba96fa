"""Training of MGRe, eq. 7 to 9: every stage's losses, and the location of its regions."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from reidops_models.backbones import load_pretrained
from reidops_models.mgre.losses import location_loss
from reidops_models.mgre.network import LAST, MgreNetwork, MgrePredictions
from reidops_models.mgre.poses import PoseDataModule
from reidops_models.mgre.recipe import MgreRecipe
from reidops_models.mgre.regions import region_boxes
from reidops_models.training.data import ReidDataModule, TrainingImages
from reidops_models.training.module import ReidModule


class MgreModule(ReidModule):
    """L = lambda sum over stages 1 to 3 of (L_loc + L_ID + L_triplet) + L_ID + L_triplet of stage 4.

    Logs every stage's losses, and the accuracy of the last stage.
    """

    def __init__(self, network: MgreNetwork, recipe: MgreRecipe) -> None:
        super().__init__(network, recipe)
        self.weight = recipe.objective.stages

    def training_step(self, batch: tuple[Tensor, ...], index: int) -> Tensor:
        images, labels, *rest = batch
        poses = rest[0] if rest else None
        network = self.network
        assert isinstance(network, MgreNetwork)
        predictions = network.classify(images, poses)
        values = self.stage_losses(predictions, labels)
        if poses is not None and network.options.locates:
            values |= {
                f"location/{stage}": loss for stage, loss in location_losses(network, predictions, poses).items()
            }
        total = sum(
            (value if name.endswith(str(LAST)) else self.weight * value for name, value in values.items()),
            start=images.new_zeros(()),
        )
        accuracy = (predictions.logits[LAST].detach().argmax(dim=1) == labels).float().mean()
        logged = {"loss": total, "accuracy": accuracy, **{f"loss/{name}": value for name, value in values.items()}}
        logged = {name: value.detach() for name, value in logged.items()}
        self.log_dict(logged, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(labels))
        return total

    def stage_losses(self, predictions: MgrePredictions, labels: Tensor) -> dict[str, Tensor]:
        """The recipe's losses of every stage, weighted, by "name/stage"."""
        return {
            f"{options.name}/{stage}": options.weight * term(logits, predictions.features[stage], labels)
            for stage, logits in predictions.logits.items()
            for options, term in zip(self.recipe.losses, self.terms, strict=True)
        }


def location_losses(network: MgreNetwork, predictions: MgrePredictions, poses: Tensor) -> dict[int, Tensor]:
    """Eq. 3 of every stage that locates."""
    losses = {}
    for stage, regions in network.regions().items():
        targets, there = region_boxes(poses, regions)
        losses[stage] = location_loss(predictions.boxes[stage].float(), targets, there)
    return losses


def build_module(network: MgreNetwork, recipe: MgreRecipe) -> MgreModule:
    """The module that trains the network; starts from ImageNet weights where the recipe has some.

    Raises:
        WeightsError: the file of weights cannot be read or does not fit the backbone.
    """
    if recipe.network.weights is not None:
        load_pretrained(network.backbone, recipe.network.weights)
    return MgreModule(network, recipe)


def build_data(images: TrainingImages, recipe: MgreRecipe) -> Any:
    """The batches that the module trains on: with joints where the network needs them.

    Raises:
        TrainingError: it needs them, and there are none.
    """
    return PoseDataModule(images, recipe) if recipe.needs_joints else ReidDataModule(images, recipe)
