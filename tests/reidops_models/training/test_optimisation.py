"""Rates over a training."""

from __future__ import annotations

import pytest
import torch

from reidops_models import recipe
from reidops_models.training.optimisation import build_optimizer, build_schedule


def rates(schedule: recipe.Schedule, *, steps: int, epochs: int) -> list[float]:
    """The rate of every step, of a peak of 1."""
    optimizer = build_optimizer([torch.nn.Parameter(torch.zeros(1))], recipe.Optimizer(name="sgd", lr=1.0))
    scheduler = build_schedule(optimizer, schedule, steps=steps, epochs=epochs)
    values = []
    for _ in range(steps):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return values


def test_constant() -> None:
    assert rates(recipe.Schedule(), steps=5, epochs=1) == [1.0] * 5


def test_one_cycle_rises_to_the_rate_and_falls_to_nothing() -> None:
    values = rates(recipe.Schedule(name="one_cycle"), steps=100, epochs=10)
    peak = values.index(max(values))
    assert max(values) == pytest.approx(1.0, abs=1e-3)
    assert values[:peak] == sorted(values[:peak])
    assert values[peak:] == sorted(values[peak:], reverse=True)
    assert values[-1] < 1e-3


def test_step_multiplies_at_the_milestones() -> None:
    values = rates(recipe.Schedule(name="step", milestones=(2, 4), gamma=0.1), steps=50, epochs=5)
    assert values == pytest.approx([1.0] * 20 + [0.1] * 20 + [0.01] * 10)


def test_warm_up_keeps_the_milestones_where_they_are() -> None:
    schedule = recipe.Schedule(name="step", milestones=(2,), gamma=0.1, warmup_epochs=1)
    values = rates(schedule, steps=40, epochs=4)
    assert values[0] == pytest.approx(0.1)
    assert values[:10] == sorted(values[:10])
    assert values[10:20] == pytest.approx([1.0] * 10)
    assert values[20:] == pytest.approx([0.1] * 20)


@pytest.mark.parametrize(("name", "kind"), [("sgd", "SGD"), ("adam", "Adam"), ("adamw", "AdamW")])
def test_optimisers_by_name(name: str, kind: str) -> None:
    options = recipe.Optimizer(name=name, lr=0.1, weight_decay=0.01)
    optimizer = build_optimizer([torch.nn.Parameter(torch.zeros(1))], options)
    assert type(optimizer).__name__ == kind
    assert optimizer.param_groups[0]["weight_decay"] == 0.01
