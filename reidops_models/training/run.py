"""Train by a recipe: the one call behind `reidops train`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from reidops_models.checkpoint import Checkpoint, save_checkpoint
from reidops_models.data import ReidDataset
from reidops_models.paper import find_paper
from reidops_models.recipe import Recipe
from reidops_models.training.data import TrainingError, TrainingImages
from reidops_models.training.start import load_start
from reidops_models.weights import WeightsError, read_weights, state_mismatch

# Lightning's advice where it is wrong: the demo's images are in memory, and a resumed training writes where it left
# off.
ADVICE = (
    "does not have many workers",
    "exists and is not empty",
    "treespec, LeafSpec",
)
LOG_STEPS = 10  # steps between two lines of the log, fewer where an epoch has fewer


def train(
    recipe: Recipe,
    dataset: ReidDataset,
    out: str | Path,
    *,
    start: str | Path | None = None,
    resume: str | Path | None = None,
    progress: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Train the recipe's network on a data set's training split.

    Writes into `out`: `model.safetensors` and `model.json` (what `load_checkpoint` reads), `last.ckpt` (Lightning's
    own, after every epoch, to resume from) and `logs/version_N/` (`metrics.csv` and TensorBoard's events).

    The order of images and the augmentation of an epoch depend on the seed and the epoch's number alone: a training
    that was interrupted between epochs and resumed ends with the same weights.

    Args:
        recipe: what `load_recipe` returns.
        dataset: its `train` is used, nothing else.
        out: folder to write into.
        start: a checkpoint of the same model whose weights training starts from (`load_start`).
        resume: a `last.ckpt` to go on from.
        progress: show a progress bar.
        dtype: of the stored weights.

    Returns:
        The path of `model.safetensors`.

    Raises:
        TrainingError: no training images, too few identities, nothing to resume from or a state of another network,
            no `start` for a recipe that fine-tunes, or options that Lightning refuses on this machine.
        CheckpointError: `start` cannot be loaded or does not fit.
        ImageError: a training picture cannot be read.
        WeightsError: the recipe's ImageNet weights cannot be read or do not fit.

    Example:
        >>> train(load_recipe("dsr/demo"), load_market1501("people"), "runs/demo")  # doctest: +SKIP
        PosixPath('runs/demo/model.safetensors')
    """
    out = Path(out)
    if not dataset.train:
        raise TrainingError(f"{dataset.root}: no training images")
    if resume is not None and not Path(resume).is_file():
        raise TrainingError(f"{resume}: no such file to resume from")
    if recipe.needs_start and start is None and resume is None:
        raise TrainingError("start: a fine-tuning needs a checkpoint to start from (reidops train --start FILE)")
    out.mkdir(parents=True, exist_ok=True)
    with quiet():
        L.seed_everything(recipe.training.seed, verbose=False)
        images = TrainingImages(dataset.train, recipe.images)
        paper = find_paper(recipe.model)
        network = paper.build_network(recipe, images.identities)
        network.to(memory_format=torch.channels_last)
        module = paper.build_module(network, recipe)
        if start is not None:
            load_start(network, start, model=recipe.model)
        data = paper.build_data(images, recipe)
        try:
            trainer = build_trainer(recipe, out, steps=len(data.train_dataloader()), progress=progress)
        except (MisconfigurationException, ValueError) as error:
            raise TrainingError(f"training: {' '.join(str(error).split())}") from error
        if resume is not None:
            _check_state(resume, module)
        try:
            trainer.fit(module, data, ckpt_path=resume, weights_only=True)
        except SystemExit as stopped:
            if trainer.interrupted:  # so Lightning passes a Ctrl-C on
                raise KeyboardInterrupt from stopped
            raise
    if not trainer.is_global_zero:
        return out / "model.safetensors"  # which the first process writes
    notes = {"dataset": dataset.name, "training images": len(images), "torch": torch.__version__}
    if start is not None:
        notes["start"] = Path(start).stem
    return save_checkpoint(out / "model", Checkpoint(network, recipe, images.identities, notes), dtype=dtype)


def build_trainer(recipe: Recipe, out: Path, *, steps: int = LOG_STEPS, progress: bool = True) -> L.Trainer:
    """Lightning's Trainer with the recipe's options, loggers and checkpoints; an epoch has `steps` batches."""
    options = recipe.training
    # The state after every epoch, under one name.
    last = ModelCheckpoint(out, filename="last", save_top_k=1, every_n_epochs=1, enable_version_counter=False)
    board = TensorBoardLogger(out, name="logs")  # counts versions: a resumed training overwrites no earlier log
    callbacks: list[Callback] = [last, LearningRateMonitor("epoch")]
    if progress:
        callbacks.append(TQDMProgressBar(refresh_rate=5))
    trainer = L.Trainer(
        max_epochs=options.epochs,
        precision=options.precision,
        accelerator=options.accelerator,
        devices=options.devices,
        strategy=options.strategy,
        gradient_clip_val=options.gradient_clip,
        callbacks=callbacks,
        logger=[board, CSVLogger(out, name="logs", version=board.version)],
        use_distributed_sampler=False,  # `EpochSampler` deals out whole batches
        enable_progress_bar=progress,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.log_every_n_steps = min(LOG_STEPS, max(1, steps // trainer.world_size))  # type: ignore[attr-defined]
    return trainer


def _check_state(path: str | Path, module: L.LightningModule) -> None:
    """Refuse to go on from what is no state of this training; Lightning would say so in a page."""
    try:
        state = read_weights(path)
    except WeightsError as error:
        raise TrainingError(str(error)) from error
    weights = state.get("state_dict") if isinstance(state, dict) else None
    if not isinstance(weights, dict):
        raise TrainingError(f"{path}: not a state to resume from: it has no weights")
    if complaint := state_mismatch(module.state_dict(), weights):
        raise TrainingError(f"{path}: the state of another network: {complaint}")


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning without its banners."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for message in ADVICE:
                warnings.filterwarnings("ignore", message=f".*{message}.*")
            yield
    finally:
        logger.setLevel(level)
