"""Eq. 9, the recipes, and a training from beginning to end."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from reidops_models.backbones import WeightsError, build_backbone
from reidops_models.checkpoint import load_checkpoint
from reidops_models.data import ReidDataset
from reidops_models.dpti import DptiNetwork, DptiRecipe
from reidops_models.dpti.training import DptiModule, build_module, diversity_loss
from reidops_models.recipe import load_recipe
from reidops_models.training.losses import CrossEntropy, Triplet
from reidops_models.training.optimisation import build_optimizer, build_schedule
from reidops_models.training.run import train

from .conftest import Tiny, trained


def test_eq_9_is_the_weighted_sum(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny(objective={"diversity": 0.3})
    network = trained(recipe).network
    assert isinstance(network, DptiNetwork)
    module = DptiModule(network, recipe)
    logged: dict[str, float] = {}
    monkeypatch.setattr(module, "log", lambda name, value, **_: logged.update({name: float(value)}))
    monkeypatch.setattr(module, "log_dict", lambda values, **_: None)
    labels = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    predictions = network.classify(torch.rand(8, 3, 64, 32))
    classification, triplet = recipe.losses
    expected = (
        classification.weight * CrossEntropy(classification)(predictions.logits, predictions.features, labels)
        + triplet.weight * Triplet(triplet)(predictions.logits, predictions.features, labels)
        + 0.3 * diversity_loss(predictions.parts)
    )
    torch.testing.assert_close(module.loss(predictions, labels), expected)
    assert logged["loss/diversity"] == pytest.approx(diversity_loss(predictions.parts).item())


@pytest.mark.parametrize("variant", [{}, {"weighting": True}, {"templates": "static"}, {"templates": "none"}])
def test_everything_learns(tiny: Tiny, variant: dict[str, object]) -> None:
    recipe = tiny(network=variant)
    network = trained(recipe).network.train()
    predictions = network.classify(torch.rand(8, 3, 64, 32))
    (predictions.logits.square().sum() + predictions.parts.sum()).backward()
    for name, value in network.named_parameters():
        assert value.grad is not None, name
        assert value.grad.isfinite().all(), name
        assert value.grad.abs().sum() > 0, name


def test_a_training_from_end_to_end(tiny: Tiny, dataset: ReidDataset, tmp_path: Path) -> None:
    recipe = tiny(images={"augmix": 0.5, "erase": 0.5})
    weights = train(recipe, dataset, tmp_path, progress=False)
    kept = load_checkpoint(weights, model="dpti")
    assert kept.recipe == recipe
    assert kept.identities == 8
    log = next((tmp_path / "logs").rglob("metrics.csv")).read_text()
    for column in ("loss/diversity", "loss/triplet", "loss/cross_entropy"):
        assert column in log


def test_starts_from_imagenet_weights(tiny: Tiny, tmp_path: Path) -> None:
    state = build_backbone("resnet50_slim").state_dict()
    save_file(state, tmp_path / "slim.safetensors")
    recipe = tiny(network={"weights": str(tmp_path / "slim.safetensors")})
    network = DptiNetwork(recipe.network, recipe.images.size, 4)
    build_module(network, recipe)
    assert network.backbone.state_dict()["conv1.weight"].equal(state["conv1.weight"])
    missing = tiny(network={"weights": "none.pth"})
    with pytest.raises(WeightsError, match=r"none\.pth: cannot be read"):
        build_module(network, missing)


PAPERS = ["market1501", "market1501_partial", "market1501_ibn", "market1501_osnet", "market1501_resnet18"]


@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_recipes_have_the_papers_values(name: str) -> None:
    recipe = load_recipe(f"dpti/{name}")
    assert isinstance(recipe, DptiRecipe)
    options = recipe.network
    assert (options.stage, options.dimensions, options.heads, options.parts) == (3, 256, 8, 8)
    assert options.templates == "dynamic"
    assert recipe.images.size == (256, 128)
    assert recipe.images.flip == 0.5
    assert min(recipe.images.shift, recipe.images.erase, recipe.images.augmix) > 0
    assert (recipe.images.partial > 0) is (name == "market1501_partial")
    assert (recipe.optimizer.name, recipe.optimizer.lr) == ("adam", 3.5e-4)
    assert recipe.schedule.milestones == (40, 90, 150)
    assert (recipe.schedule.gamma, recipe.schedule.warmup_epochs) == (0.1, 10)
    assert recipe.training.epochs == 180
    assert [loss.weight for loss in recipe.losses] == [1, 1]
    assert recipe.objective.diversity == 1


def test_the_rate_of_every_epoch_is_the_papers() -> None:
    recipe = load_recipe("dpti/market1501")
    optimizer = build_optimizer([torch.zeros(1, requires_grad=True)], recipe.optimizer)
    schedule = build_schedule(optimizer, recipe.schedule, steps=1800, epochs=180)
    assert schedule is not None
    rates = []
    for _ in range(1800):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == pytest.approx(3.5e-5)
    assert rates[101] == pytest.approx(3.5e-4)
    expected = {399: 3.5e-4, 401: 3.5e-5, 899: 3.5e-5, 901: 3.5e-6, 1499: 3.5e-6, 1501: 3.5e-7}
    for step, rate in expected.items():
        assert rates[step] == pytest.approx(rate), step
