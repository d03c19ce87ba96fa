"""The LightningModule that papers share: an identity classifier trained by a weighted sum of named losses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import lightning as L
from torch import Tensor, nn

from reidops_models.recipe import Recipe
from reidops_models.training.losses import LOSSES
from reidops_models.training.optimisation import build_optimizer, build_schedule


class Predictions(Protocol):
    """What a network says of a training batch: logits (B, identities) and features (B, C)."""

    @property
    def logits(self) -> Tensor: ...

    @property
    def features(self) -> Tensor: ...


class ReidModule(L.LightningModule):
    """Trains `network.classify(images) -> Predictions` by the losses, optimiser and schedule of a recipe.

    A paper whose loss needs more overrides `loss`.

    Args:
        network: has `classify`.
        recipe: any paper's.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self.terms = nn.ModuleList([LOSSES[term.name](term) for term in recipe.losses])

    def loss(self, predictions: Predictions, labels: Tensor) -> Tensor:
        """The weighted sum of the recipe's losses; each is logged by its name where there are several."""
        values = [term(predictions.logits, predictions.features, labels) for term in self.terms]
        if len(values) > 1:
            names = [options.name for options in self.recipe.losses]
            terms = {f"loss/{name}": value.detach() for name, value in zip(names, values, strict=True)}
            self.log_dict(terms, on_step=False, on_epoch=True, sync_dist=True)
        total: Tensor = sum(
            (options.weight * value for options, value in zip(self.recipe.losses, values, strict=True)),
            start=values[0].new_zeros(()),
        )
        return total

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        images, labels = batch
        predictions = self.network.classify(images)  # type: ignore[operator]  # the contract above
        loss = self.loss(predictions, labels)
        accuracy = (predictions.logits.detach().argmax(dim=1) == labels).float().mean()
        values = {"loss": loss.detach(), "accuracy": accuracy}
        self.log_dict(values, prog_bar=True, on_step=True, on_epoch=True, sync_dist=True)
        return loss

    def parameter_groups(self) -> Iterable[Any]:
        """What the optimiser is given: parameters, or groups of them with rates of their own."""
        return self.network.parameters()

    def configure_optimizers(self) -> Any:
        optimizer = build_optimizer(self.parameter_groups(), self.recipe.optimizer)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = build_schedule(optimizer, self.recipe.schedule, steps=steps, epochs=self.recipe.training.epochs)
        if schedule is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
