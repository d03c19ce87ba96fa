"""Search for validation people while a network trains, and keep the best network beside the last."""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.seed import isolate_rng
from torch import nn

from reidops_models.checkpoint import Checkpoint
from reidops_models.data import ReidDataset, image_size, read_image
from reidops_models.evaluation import evaluate_ranking
from reidops_models.recipe import Recipe

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scores:
    """What the network of one epoch is worth on validation people.

    Attributes:
        epoch: after which it was searched, from 1.
        rank1, mAP: in [0, 1].
    """

    epoch: int
    rank1: float
    mAP: float  # noqa: N815 - so the field writes it


class Validator(Callback):
    """Scores the network every few epochs, by the paper's method in full, and passes on the best network so far.

    Works on a copy of the network and puts all random states back, so that the trained weights are the same with and
    without it. Its best scores are part of `last.ckpt`: a resumed training goes on with them.

    Args:
        recipe: its `validation` says how often.
        people: the data set of the validation people.
        keep: called with the network whose mAP is higher than before, and its scores.

    Attributes:
        latest: the scores of this epoch, or None where it was not validated.
        best: the scores with the highest mAP so far.
    """

    def __init__(self, recipe: Recipe, people: ReidDataset, keep: Callable[[nn.Module, Scores], None]) -> None:
        self.recipe = recipe
        probes, limit = people.probes(recipe.validation.probes), recipe.validation.limit
        self.probes = probes[:: math.ceil(len(probes) / limit) or 1]
        self.gallery = people.gallery
        self.sizes: list[tuple[int, int]] = []  # of the gallery's images, once their headers have been read
        self.keep = keep
        self.latest: Scores | None = None
        self.best: Scores | None = None
        self.possible = True

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        self.latest = None
        due = epoch % self.recipe.validation.every == 0 or epoch == trainer.max_epochs
        if not (due and self.possible and trainer.is_global_zero):
            return
        with isolate_rng():
            network = copy.deepcopy(pl_module.network)
            assert isinstance(network, nn.Module)
            network.eval()
            try:
                self.latest = self._scores(network, epoch)
            except ValueError as error:  # images that this method cannot match; the training itself can go on
                self.possible = False
                logger.warning("no validation: %s", error)
                return
            for name in ("rank1", "mAP"):
                pl_module.log(f"validation/{name}", getattr(self.latest, name), prog_bar=True, rank_zero_only=True)
            if self.best is None or self.latest.mAP > self.best.mAP:
                self.best = self.latest
                self.keep(network, self.latest)

    def state_dict(self) -> dict[str, Any]:
        return {"best": None if self.best is None else asdict(self.best)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        best = state_dict["best"]
        self.best = None if best is None else Scores(**best)

    def _scores(self, network: nn.Module, epoch: int) -> Scores:
        if not self.sizes:
            self.sizes = [image_size(sample.path) for sample in self.gallery]
        matcher = Checkpoint(network, self.recipe, identities=1).methods(self.sizes).main
        probes = matcher.embed((read_image(sample.path) for sample in self.probes), role="probe")
        gallery = matcher.embed(read_image(sample.path) for sample in self.gallery)
        result = evaluate_ranking(
            matcher.distances(probes, gallery),
            [sample.pid for sample in self.probes],
            [sample.pid for sample in self.gallery],
            [sample.camid for sample in self.probes],
            [sample.camid for sample in self.gallery],
        )
        if not result.valid.any():
            raise ValueError(f"no probe of {self.recipe.validation.probes} has a right image in the validation gallery")
        return Scores(epoch, result.rank(1), result.mAP)
