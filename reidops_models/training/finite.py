"""A training whose weights stop being numbers ends at once, and stores nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from reidops_models.training.data import TrainingError

EVERY = 50  # steps between two looks at the loss: on a GPU each look waits for it


class FiniteWeights(Callback):
    """Looks at the weights when a loss has been NaN or infinite, and at the end of every epoch.

    A loss alone is no reason to end: in float16 a step whose gradients overflow is left out, and the weights stay. The
    state of an epoch is stored after this has looked, so `last.ckpt` and `best.safetensors` are those of before.
    """

    def __init__(self) -> None:
        self._seen: Tensor | None = None  # whether all losses since the last look were finite, where they are

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if isinstance(loss, Tensor):
            finite = loss.detach().isfinite().all()
            self._seen = finite if self._seen is None else self._seen & finite
        if (batch_idx + 1) % EVERY == 0 and self._seen is not None and not self._seen:
            self._look(trainer, pl_module)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._look(trainer, pl_module)

    def _look(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        self._seen = None
        for name, value in module.state_dict().items():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise TrainingError(
                    f"training: in epoch {trainer.current_epoch + 1} {name} is no longer finite; expected a lower "
                    f"optimizer.lr than {trainer.optimizers[0].param_groups[0]['lr']:g}, a longer warm-up or "
                    "training.gradient_clip. Nothing of this epoch was stored"
                )
