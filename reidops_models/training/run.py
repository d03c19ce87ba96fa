"""Train by a recipe: the one call behind `reidops train`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, ProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import nn

from reidops_models.checkpoint import Checkpoint, save_checkpoint
from reidops_models.data import ReidDataset
from reidops_models.devices import Device, find_device
from reidops_models.paper import find_paper
from reidops_models.recipe import Recipe
from reidops_models.training.data import TrainingError, TrainingImages
from reidops_models.training.finite import FiniteWeights
from reidops_models.training.progress import Progress, progress_callbacks
from reidops_models.training.start import load_start
from reidops_models.training.validation import Scores, Validator
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
    overwrite: bool = False,
    progress: Progress = False,
    dtype: torch.dtype = torch.float32,
    device: Device | None = None,
) -> Path:
    """Train the recipe's network on a data set's training split.

    Writes into `out`: `model.safetensors` and `model.json` (what `load_checkpoint` reads), `last.ckpt` (Lightning's
    own, after every epoch, to resume from) and `logs/version_N/` (`metrics.csv` and TensorBoard's events). Where the
    data set has validation people, they are searched every `recipe.validation.every` epochs, and `best.safetensors`
    and `best.json` hold the network with their highest mAP; the notes in `best.json` say its epoch and its scores.
    The validation changes no weight.

    The order of images and the augmentation of an epoch depend on the seed and the epoch's number alone: a training
    that was interrupted between epochs and resumed ends with the same weights.

    Args:
        recipe: what `load_recipe` returns.
        dataset: its `train` is used, and its `validation` where there is one.
        out: folder to write into.
        start: a checkpoint of the same model whose weights training starts from (`load_start`).
        resume: a `last.ckpt` to go on from.
        overwrite: begin anew although `out` holds a trained model. It stays until the new one is written.
        progress: True shows a bar on a terminal, and prints a line per epoch elsewhere. A function is called with an
            `EpochReport` after every epoch.
        dtype: of the stored weights.
        device: where to train: `auto`, `cpu`, `cuda` or `cuda:N`. None: as the recipe's section `training` says, which
            may be several GPUs. The stored recipe is the same.

    Returns:
        The path of `model.safetensors`.

    Raises:
        TrainingError: `recipe` or `dataset` is of another kind, `out` holds a trained model, no training images, too
            few identities, nothing to resume from or a state of another network, no `start` for a recipe that
            fine-tunes, options that Lightning refuses on this machine, or weights that are no longer finite.
        DeviceError: there is no such device.
        CheckpointError: `start` cannot be loaded or does not fit.
        DatasetError: the validation people have no such probe set.
        ImageError: an image cannot be read.
        WeightsError: the recipe's ImageNet weights cannot be read or do not fit.

    Example:
        >>> train(load_recipe("dsr/demo"), load_market1501("people"), "runs/demo")  # doctest: +SKIP
        PosixPath('runs/demo/model.safetensors')
    """
    for name, value, kind in (("recipe", recipe, Recipe), ("dataset", dataset, ReidDataset)):
        if not isinstance(value, kind):
            raise TrainingError(
                f"{name}: expected what load_{name} returns, got an object of type {type(value).__name__}"
            )
    place = None if device is None else find_device(device)
    out = Path(out)
    if not dataset.train:
        raise TrainingError(f"{dataset.root}: no training images")
    if resume is not None and not Path(resume).is_file():
        raise TrainingError(f"{resume}: no such file to resume from")
    _check_out(out, resume=resume, overwrite=overwrite)
    if recipe.needs_start and start is None and resume is None:
        raise TrainingError("start: a fine-tuning needs a checkpoint to start from (reidops train --start FILE)")
    out.mkdir(parents=True, exist_ok=True)
    with quiet():
        L.seed_everything(recipe.training.seed, verbose=False)
        images = TrainingImages(dataset.train, recipe.images)
        paper = find_paper(recipe.model)
        network = paper.build_network(recipe, images.identities).float()
        network.to(memory_format=torch.channels_last)
        module = paper.build_module(network, recipe)
        if start is not None:
            load_start(network, start, model=recipe.model)
        data = paper.build_data(images, recipe)
        notes = {"dataset": dataset.name, "training images": len(images), "torch": torch.__version__}
        if start is not None:
            notes["start"] = Path(start).stem

        def keep(network: nn.Module, name: str, notes: dict[str, Any]) -> Path:
            return save_checkpoint(out / name, Checkpoint(network, recipe, images.identities, notes), dtype=dtype)

        def keep_best(network: nn.Module, scores: Scores) -> None:
            keep(network, "best", {**notes, "validation": {**asdict(scores), "probes": recipe.validation.probes}})

        people = dataset.validation if recipe.validation.every else None
        validator = Validator(recipe, people, keep_best) if people is not None else None
        callbacks = [FiniteWeights(), *([validator] if validator else []), *progress_callbacks(progress, validator)]
        try:
            steps = len(data.train_dataloader())
            trainer = build_trainer(recipe, out, steps=steps, callbacks=callbacks, device=place)
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
    weights = keep(network, "model", notes)
    if validator is None or validator.best is None:  # the best network there belongs to the model that was replaced
        for name in ("best.safetensors", "best.json"):
            (out / name).unlink(missing_ok=True)
    return weights


def build_trainer(
    recipe: Recipe,
    out: Path,
    *,
    steps: int = LOG_STEPS,
    callbacks: Sequence[Callback] = (),
    device: torch.device | None = None,
) -> L.Trainer:
    """Lightning's Trainer with the recipe's options, loggers and checkpoints; an epoch has `steps` batches. A `device`
    takes the place of the recipe's."""
    options = recipe.training
    accelerator: str = options.accelerator
    devices: int | str | list[int] = options.devices
    if device is not None:
        accelerator = "gpu" if device.type == "cuda" else device.type
        devices = 1 if device.index is None else [device.index]
    # The state after every epoch, under one name.
    last = ModelCheckpoint(out, filename="last", save_top_k=1, every_n_epochs=1, enable_version_counter=False)
    board = TensorBoardLogger(out, name="logs")  # counts versions: a resumed training overwrites no earlier log
    trainer = L.Trainer(
        max_epochs=options.epochs,
        precision=options.precision,
        accelerator=accelerator,
        devices=devices,
        strategy=options.strategy,
        gradient_clip_val=options.gradient_clip,
        callbacks=[last, LearningRateMonitor("epoch"), *callbacks],
        logger=[board, CSVLogger(out, name="logs", version=board.version)],
        use_distributed_sampler=False,  # `EpochSampler` deals out whole batches
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.log_every_n_steps = min(LOG_STEPS, max(1, steps // trainer.world_size))  # type: ignore[attr-defined]
    return trainer


def _check_out(out: Path, *, resume: str | Path | None, overwrite: bool) -> None:
    """Refuse to overwrite a trained model unasked."""
    if resume is not None and overwrite:
        raise TrainingError(f"{out}: resume (--resume) and overwrite (--overwrite) exclude each other")
    trained = [name for name in ("model.safetensors", "last.ckpt") if (out / name).exists()]
    if trained and resume is None and not overwrite:
        raise TrainingError(
            f"{out}: holds a trained model ({trained[0]}): resume it (--resume) or overwrite it (--overwrite)"
        )


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
