"""Optimisers and learning-rate schedules from a recipe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import optim
from torch.optim.lr_scheduler import LinearLR, LRScheduler, MultiStepLR, OneCycleLR, SequentialLR

from reidops_models import recipe


def build_optimizer(parameters: Iterable[Any], options: recipe.Optimizer) -> optim.Optimizer:
    """SGD (with momentum), Adam or AdamW, of parameters or of groups of them ({"params": ..., "lr": ...})."""
    if options.name == "sgd":
        return optim.SGD(parameters, options.lr, momentum=options.momentum, weight_decay=options.weight_decay)
    kind = optim.Adam if options.name == "adam" else optim.AdamW
    return kind(parameters, options.lr, weight_decay=options.weight_decay)


def build_schedule(
    optimizer: optim.Optimizer, options: recipe.Schedule, *, steps: int, epochs: int
) -> LRScheduler | None:
    """A schedule counted in steps; None for a constant rate.

    Args:
        steps: of the whole training.
        epochs: of the whole training; milestones and warm-up are given in epochs.
    """
    if options.name == "constant":
        return None
    if options.name == "one_cycle":
        rates = [group["lr"] for group in optimizer.param_groups]
        return OneCycleLR(optimizer, rates, total_steps=steps)
    per_epoch = steps / epochs
    warmup = round(options.warmup_epochs * per_epoch)
    # SequentialLR counts from zero again in each schedule.
    milestones = [round(epoch * per_epoch) - warmup for epoch in options.milestones]
    decay = MultiStepLR(optimizer, milestones, options.gamma)
    if not warmup:
        return decay
    return SequentialLR(optimizer, [LinearLR(optimizer, options.warmup_start, total_iters=warmup), decay], [warmup])
