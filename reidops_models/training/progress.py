"""What a training says of itself: a record per epoch, a line of text, or a bar on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import lightning as L
from lightning.pytorch.callbacks import Callback, TQDMProgressBar

from reidops_models.training.validation import Scores, Validator


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch.

    Attributes:
        epoch: its number, from 1.
        epochs: of the whole training.
        loss: mean over the epoch.
        accuracy: of the identity classifier on the training images, in [0, 1]; None where nothing is classified.
        seconds: that it took.
        remaining: seconds that the rest is expected to take.
        validation: scores of validation people, where they were searched after this epoch.
        best: whether these are the best scores so far.

    Example:
        >>> print(EpochReport(3, 20, loss=1.25, accuracy=0.5, seconds=12.0, remaining=204.0))
        epoch 3 of 20: loss 1.2500, accuracy 50.0 %, 12.0 s, 3 min 24 s left
    """

    epoch: int
    epochs: int
    loss: float
    accuracy: float | None
    seconds: float
    remaining: float
    validation: Scores | None = None
    best: bool = False

    def __str__(self) -> str:
        parts = [f"loss {self.loss:.4f}"]
        if self.accuracy is not None:
            parts.append(f"accuracy {100 * self.accuracy:.1f} %")
        parts += [f"{self.seconds:.1f} s", f"{_duration(self.remaining)} left"]
        if self.validation is not None:
            scores = f"validation rank-1 {100 * self.validation.rank1:.1f}, mAP {100 * self.validation.mAP:.1f}"
            parts.append(f"{scores}{', the best so far' if self.best else ''}")
        return f"epoch {self.epoch} of {self.epochs}: {', '.join(parts)}"


Progress = bool | Callable[[EpochReport], None]


def progress_callbacks(progress: Progress, validator: Validator | None) -> list[Callback]:
    """Lightning's callbacks for what `train` takes as `progress`."""
    if progress is False:
        return []
    if progress is True and sys.stdout.isatty():
        return [TQDMProgressBar(refresh_rate=5)]
    return [Reporter(_print if progress is True else progress, validator)]


class Reporter(Callback):
    """Calls a function after every epoch. Stands after the validator, whose scores it passes on."""

    def __init__(self, report: Callable[[EpochReport], None], validator: Validator | None) -> None:
        self.report = report
        self.validator = validator
        self.begun = 0.0
        self.durations: list[float] = []

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self.begun = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        self.durations.append(time.monotonic() - self.begun)
        metrics = trainer.callback_metrics
        epoch, epochs = trainer.current_epoch + 1, trainer.max_epochs or 0
        accuracy = metrics.get("accuracy_epoch", metrics.get("accuracy"))
        validation, best = (None, None) if self.validator is None else (self.validator.latest, self.validator.best)
        self.report(
            EpochReport(
                epoch,
                epochs,
                loss=float(metrics["loss_epoch"] if "loss_epoch" in metrics else metrics["loss"]),
                accuracy=None if accuracy is None else float(accuracy),
                seconds=self.durations[-1],
                remaining=sum(self.durations) / len(self.durations) * (epochs - epoch),
                validation=validation,
                best=validation is not None and validation is best,
            )
        )


def _print(report: EpochReport) -> None:
    print(report, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
