"""Eq. 7 to 9, the recipes, and a training from beginning to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from reidops_models.backbones import build_backbone
from reidops_models.checkpoint import load_checkpoint
from reidops_models.data import ReidDataset
from reidops_models.mgre import MgreNetwork, MgreRecipe
from reidops_models.mgre.losses import location_loss
from reidops_models.mgre.poses import PoseDataModule
from reidops_models.mgre.regions import region_boxes, regions_of
from reidops_models.mgre.training import MgreModule, build_data, build_module
from reidops_models.recipe import load_recipe
from reidops_models.training.data import ReidDataModule, TrainingImages
from reidops_models.training.losses import CrossEntropy, Triplet
from reidops_models.training.optimisation import build_optimizer, build_schedule
from reidops_models.training.run import train

from .conftest import Tiny, trained

LABELS = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])


def joints(batch: int) -> torch.Tensor:
    return torch.cat((torch.rand(batch, 17, 2), torch.ones(batch, 17, 1)), dim=2)


def test_eq_7_to_9_are_the_weighted_sum(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny(objective={"stages": 0.3})
    network = trained(recipe).network
    assert isinstance(network, MgreNetwork)
    module = MgreModule(network, recipe)
    logged: dict[str, float] = {}
    monkeypatch.setattr(
        module, "log_dict", lambda values, **_: logged.update({name: value.item() for name, value in values.items()})
    )
    images, poses = torch.rand(8, 3, 64, 32), joints(8)
    total = module.training_step((images, LABELS, poses), 0)
    predictions = network.classify(images, poses)
    identity, triplet = recipe.losses
    expected = torch.zeros(())
    for stage in (1, 2, 3, 4):
        logits, features = predictions.logits[stage], predictions.features[stage]
        loss = identity.weight * CrossEntropy(identity)(logits, features, LABELS)
        loss = loss + triplet.weight * Triplet(triplet)(logits, features, LABELS)
        if stage < 4:
            loss = 0.3 * (loss + location_loss(predictions.boxes[stage], *region_boxes(poses, regions_of(stage))))
        expected = expected + loss
    torch.testing.assert_close(total, expected)
    assert logged["loss"] == pytest.approx(expected.item(), rel=1e-5)
    assert {"loss/location/1", "loss/triplet/4", "loss/cross_entropy/2", "accuracy"} <= set(logged)
    assert "loss/location/4" not in logged


@pytest.mark.parametrize(
    "variant", [{}, {"stages": []}, {"features": "last"}, {"regions": "whole"}, {"sampling": False}, {"boxes": "given"}]
)
def test_everything_learns(tiny: Tiny, variant: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = tiny(network=variant)
    network = trained(recipe).network.train()
    assert isinstance(network, MgreNetwork)
    module = build_module(network, recipe)
    monkeypatch.setattr(module, "log_dict", lambda values, **_: None)
    batch = (torch.rand(8, 3, 64, 32), LABELS, joints(8)) if recipe.needs_joints else (torch.rand(8, 3, 64, 32), LABELS)
    module.training_step(batch, 0).backward()
    for name, value in network.named_parameters():
        assert value.grad is not None, name
        assert value.grad.isfinite().all(), name
    assert sum(float(value.grad.abs().sum() > 0) for value in network.parameters() if value.grad is not None) > 0


def test_batches_have_joints_where_the_network_needs_them(tiny: Tiny, dataset: ReidDataset) -> None:
    for variant, kind in (({}, PoseDataModule), ({"stages": []}, ReidDataModule), ({"boxes": "given"}, PoseDataModule)):
        recipe = tiny(network=variant)
        data = build_data(TrainingImages(dataset.train, recipe.images), recipe)
        assert type(data) is kind
        batch = data.prepare(next(iter(data.train_dataloader())))
        assert batch[0].shape == (8, 3, 64, 32)
        assert len(batch) == (3 if kind is PoseDataModule else 2)


def test_a_training_from_end_to_end(tiny: Tiny, dataset: ReidDataset, tmp_path: Path) -> None:
    recipe = tiny(images={"erase": 0.5})
    weights = train(recipe, dataset, tmp_path, progress=False)
    kept = load_checkpoint(weights, model="mgre")
    assert kept.recipe == recipe
    assert kept.identities == 8
    log = next((tmp_path / "logs").rglob("metrics.csv")).read_text()
    assert "loss/location/3" in log


def test_regions_are_learnt(tiny: Tiny, dataset: ReidDataset, tmp_path: Path) -> None:
    """A few steps of eq. 3 alone bring the boxes nearer to the joints."""
    recipe = tiny()
    network = trained(recipe).network.train()
    assert isinstance(network, MgreNetwork)
    data = build_data(TrainingImages(dataset.train, recipe.images), recipe)
    images, _, poses = data.prepare(next(iter(data.train_dataloader())))
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    errors = []
    for _ in range(25):
        boxes = network.describe(images).boxes
        losses = [location_loss(boxes[stage], *region_boxes(poses, regions_of(stage))) for stage in (1, 2, 3)]
        loss = torch.stack(losses).sum()
        errors.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert errors[-1] < 0.3 * errors[0]


def test_starts_from_imagenet_weights(tiny: Tiny, tmp_path: Path) -> None:
    state = build_backbone("resnet50_ibn_a_slim").state_dict()
    save_file(state, tmp_path / "slim.safetensors")
    recipe = tiny(network={"weights": str(tmp_path / "slim.safetensors")})
    network = MgreNetwork(recipe.network, recipe.images.size, 4)
    build_module(network, recipe)
    assert network.backbone.state_dict()["conv1.weight"].equal(state["conv1.weight"])


def test_the_papers_recipe_has_the_papers_values() -> None:
    recipe = load_recipe("mgre/market1501")
    assert isinstance(recipe, MgreRecipe)
    assert recipe.network.backbone == "resnet50_ibn_a"
    assert (recipe.network.dimensions, recipe.network.weighting) == (512, (0.35, 0.5, 0.7, 0.8))
    assert recipe.images.size == (256, 128)
    assert min(recipe.images.flip, recipe.images.erase) > 0
    assert recipe.losses[0].label_smoothing > 0
    assert (recipe.optimizer.name, recipe.optimizer.lr) == ("adam", 3.5e-4)
    assert recipe.schedule.milestones == (120, 150, 180, 210)
    assert recipe.schedule.gamma == 0.3
    assert recipe.training.epochs == 240
    optimizer = build_optimizer([torch.zeros(1, requires_grad=True)], recipe.optimizer)
    schedule = build_schedule(optimizer, recipe.schedule, steps=2400, epochs=240)
    assert schedule is not None
    assert optimizer.param_groups[0]["lr"] == pytest.approx(3.5e-6)  # "warming up with a slope of 0.01"
