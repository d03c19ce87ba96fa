"""Training of DSR, sec. 3.3: softmax pre-training, fig. 5(a), and fine-tuning on pairs, fig. 5(b)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from reidops_models.backbones import load_pretrained
from reidops_models.dsr.losses import PairLoss, pair_loss
from reidops_models.dsr.network import DsrNetwork
from reidops_models.dsr.pairs import DsrPairBatch, DsrPairDataModule
from reidops_models.dsr.recipe import DsrRecipe
from reidops_models.matching import block_set
from reidops_models.training.data import ReidDataModule, TrainingImages
from reidops_models.training.module import ReidModule


class FineTuningModule(ReidModule):
    """Fine-tunes a network with DSR: eq. 5 on pairs, and the recipe's losses, if any, on their holistic images.

    Logs the distances of eq. 4 as `distance/positive` and `distance/negative`, and the whole of eq. 5 as `objective`.

    Args:
        network: pre-trained.
        recipe: has `fine_tuning`.
    """

    def __init__(self, network: DsrNetwork, recipe: DsrRecipe) -> None:
        super().__init__(network, recipe)
        assert recipe.fine_tuning is not None
        self.options = recipe.fine_tuning
        # A classifier that nothing trains must not wait for gradients, which it would among several processes.
        network.classifier.requires_grad_(bool(recipe.losses))

    def on_train_epoch_start(self) -> None:
        """Batch normalisation keeps its pre-trained statistics if the recipe freezes them."""
        if self.options.freeze_batch_norm:
            for layer in self.modules():
                if isinstance(layer, _BatchNorm):
                    layer.eval()

    def training_step(self, batch: DsrPairBatch, index: int) -> Tensor:  # type: ignore[override]  # batches of pairs
        network, options = self.network, self.options
        assert isinstance(network, DsrNetwork)
        holistic = network.backbone(batch.holistic)
        x, _ = block_set(network.spatial(network.backbone(batch.patches)), options.scales)
        y, _ = block_set(network.spatial(holistic), options.scales)
        pairs = pair_loss(x, y, batch.alpha, options.beta, gradient=options.gradient)
        loss = options.weight * pairs.loss
        if self.recipe.losses:
            loss = loss + self.loss(network.predict(holistic), batch.labels)
        self._log(loss, pairs, batch.alpha)
        return loss

    def _log(self, loss: Tensor, pairs: PairLoss, alpha: Tensor) -> None:
        count = len(alpha)
        self.log("loss", loss.detach(), prog_bar=True, on_step=True, on_epoch=True, sync_dist=True, batch_size=count)
        self.log("objective", pairs.objective, on_step=False, on_epoch=True, sync_dist=True, batch_size=count)
        for name, chosen in (("positive", alpha > 0), ("negative", alpha < 0)):
            count = int(chosen.sum())  # which weighs the batch in the mean of the epoch
            mean = pairs.errors[chosen].sum() / max(count, 1)
            key = f"distance/{name}"
            self.log(key, mean, prog_bar=True, on_step=False, on_epoch=True, sync_dist=True, batch_size=count)


def build_module(network: DsrNetwork, recipe: DsrRecipe) -> ReidModule:
    """The module that trains the network: as an identity classifier, or on pairs where the recipe fine-tunes.

    Starts from ImageNet weights where the recipe has some.

    Raises:
        WeightsError: the file of weights cannot be read or does not fit the backbone.
    """
    if recipe.network.weights is not None:
        load_pretrained(network.backbone, recipe.network.weights)
    return ReidModule(network, recipe) if recipe.fine_tuning is None else FineTuningModule(network, recipe)


def build_data(images: TrainingImages, recipe: DsrRecipe) -> ReidDataModule:
    """The batches that the module trains on: images, or pairs where the recipe fine-tunes.

    Raises:
        TrainingError: the images make no such batches.
    """
    return ReidDataModule(images, recipe) if recipe.fine_tuning is None else DsrPairDataModule(images, recipe)
