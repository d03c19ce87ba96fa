"""Training of STNReID, sec. 3.2: eq. 6 end to end, either module alone, or the ReID module alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

import reidops
from reidops_models.backbones import load_pretrained
from reidops_models.boxes import box_iou, sampled_boxes
from reidops_models.stnreid.losses import box_loss, stn_loss
from reidops_models.stnreid.network import StnreidNetwork, StnreidPredictions
from reidops_models.stnreid.recipe import StnreidRecipe
from reidops_models.stnreid.triples import CrossTripleDataModule, TripleDataModule, Triples
from reidops_models.training.data import ReidDataModule, TrainingError, TrainingImages
from reidops_models.training.module import ReidModule


class TripleModule(ReidModule):
    """Trains on triples: L = L_R(I_h) + L_R(I_p) + L_R(I_a) + weight L_STN(I_p, I_a), eq. 6.

    All three kinds of images pass the trunk as one batch, so that they share batch statistics. A frozen module keeps
    weights and statistics. Logs `iou`, of the sampled box with the true one, where that is known.

    Args:
        network: with an STN module.
        recipe: has `stn`.

    Raises:
        TrainingError: in training, boxes are asked for and not known.
    """

    def __init__(self, network: StnreidNetwork, recipe: StnreidRecipe) -> None:
        super().__init__(network, recipe)
        assert recipe.stn is not None
        self.options = recipe.stn
        for module in self._frozen():
            module.requires_grad_(False)

    def parameter_groups(self) -> Iterable[Any]:
        """The localisation network may have a rate of its own."""
        network, lr = self.network, self.recipe.optimizer.lr
        assert isinstance(network, StnreidNetwork)
        reid = [*network.backbone.parameters(), *network.classifier.parameters()]
        stn = {"params": list(network.localisation.parameters()), "lr": lr * self.options.rate}
        return [{"params": reid, "lr": lr}, stn]

    def on_train_epoch_start(self) -> None:
        """Lightning has just put everything into training mode."""
        for module in self._frozen():
            module.eval()

    def training_step(self, batch: Triples, index: int) -> Tensor:  # type: ignore[override]  # batches of triples
        network, options = self.network, self.options
        assert isinstance(network, StnreidNetwork)
        theta = network.locate(batch.holistic, batch.partial)
        values = {}
        if options.supervision == "boxes":
            if batch.boxes is None:
                raise TrainingError("stn.supervision: boxes need person frames, as drawn people have; there are none")
            values["stn"] = box_loss(theta, reidops.boxes_to_theta(batch.boxes))
        if options.supervision == "features" or options.frozen != "reid":
            affined = network.affine(batch.holistic, theta)
            predicted = network.classify(torch.cat((batch.holistic, batch.partial, affined)))
            _, partial, sampled = predicted.features.chunk(3)
            if options.supervision == "features":
                values["stn"] = stn_loss(partial, sampled)
            if options.frozen != "reid":
                values["reid"] = self._reid_loss(predicted, batch.labels)
        loss = options.weight * values["stn"] + values.get("reid", 0)
        self._log(loss, values, theta, batch)
        return loss

    def _reid_loss(self, predicted: StnreidPredictions, labels: Tensor) -> Tensor:
        """L_R of the three kinds of images, each by itself as in eq. 6."""
        logits, features = (value.chunk(3) for value in predicted)
        kinds = [self.loss(StnreidPredictions(a, b), labels) for a, b in zip(logits, features, strict=True)]
        return torch.stack(kinds).sum()

    def _frozen(self) -> list[nn.Module]:
        network = self.network
        assert isinstance(network, StnreidNetwork)
        modules: dict[str, list[nn.Module]] = {
            "none": [],
            "stn": [network.localisation],
            "reid": [network.backbone, network.classifier],
        }
        return modules[self.options.frozen]

    def _log(self, loss: Tensor, values: dict[str, Tensor], theta: Tensor, batch: Triples) -> None:
        logged = {"loss": loss, **{f"loss/{name}": value for name, value in values.items()}}
        if batch.boxes is not None:
            logged["iou"] = box_iou(sampled_boxes(theta), batch.boxes, clip=True).mean()
        logged = {name: value.detach() for name, value in logged.items()}
        count = len(batch.labels)
        self.log_dict(logged, prog_bar=True, on_step=False, on_epoch=True, sync_dist=True, batch_size=count)


class ReidOnlyModule(ReidModule):
    """Trains the ReID module as a classifier; the STN module stays as it is."""

    def __init__(self, network: StnreidNetwork, recipe: StnreidRecipe) -> None:
        super().__init__(network, recipe)
        network.localisation.requires_grad_(False)


def build_module(network: StnreidNetwork, recipe: StnreidRecipe) -> ReidModule:
    """The module that trains the network: on triples where the recipe has `stn`, else as a classifier of images.

    Starts from ImageNet weights where the recipe has some.

    Raises:
        WeightsError: the file of weights cannot be read or does not fit the backbone.
    """
    if recipe.network.weights is not None:
        load_pretrained(network.backbone, recipe.network.weights)
    return ReidOnlyModule(network, recipe) if recipe.stn is None else TripleModule(network, recipe)


def build_data(images: TrainingImages, recipe: StnreidRecipe) -> ReidDataModule:
    """The batches that the module trains on.

    Raises:
        TrainingError: the images make no such batches.
    """
    if recipe.stn is None:
        return ReidDataModule(images, recipe)
    if recipe.stn.holistic == "other":
        return CrossTripleDataModule(images, recipe)
    return TripleDataModule(images, recipe)
