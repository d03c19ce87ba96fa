"""Pairs, losses, and a training from a recipe to a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reidops_models.checkpoint import load_checkpoint
from reidops_models.csn import CsnNetwork
from reidops_models.csn.losses import contrastive_loss, distances, prior_losses
from reidops_models.csn.pairs import CsnPairDataModule, PositivePairs, positive_and_negative_pairs
from reidops_models.csn.training import PairModule
from reidops_models.data import ReidDataset, Sample
from reidops_models.recipe import RecipeError, load_recipe, parse_recipe
from reidops_models.training.data import TrainingError, TrainingImages
from reidops_models.training.run import train
from tests.reidops_models.csn.conftest import Tiny


def test_pairs_are_one_positive_to_two_negative() -> None:
    torch.manual_seed(0)
    labels = torch.tensor([4, 4, 7, 9, 9, 1])
    pairs, matched = positive_and_negative_pairs(labels, 2)
    both = torch.cat((labels, labels))
    assert len(pairs) == 18
    assert int(matched.sum()) == 6
    assert torch.equal(both[pairs[:, 0]] == both[pairs[:, 1]], matched)
    assert torch.equal(pairs[:6], torch.stack((torch.arange(6), torch.arange(6, 12)), dim=1))
    # Every negative of image i is image i with the second image of another.
    assert torch.equal(pairs[6:, 0], torch.arange(6).repeat_interleave(2))
    assert bool((pairs[6:, 1] >= 6).all())


def test_a_batch_of_one_person_has_no_negatives() -> None:
    pairs, matched = positive_and_negative_pairs(torch.tensor([3, 3]), 2)
    assert pairs.tolist() == [[0, 2], [1, 3]]
    assert matched.tolist() == [True, True]


def test_positive_pairs_are_of_two_cameras(dataset: ReidDataset, tiny: Tiny) -> None:
    samples = [Sample(sample.path, sample.pid, camid=index % 2) for index, sample in enumerate(dataset.train)]
    images = TrainingImages(samples, tiny().images)
    cameras = np.array([sample.camid for sample in samples])
    across, any_camera = (PositivePairs(images, across_cameras=flag).pairs.numpy() for flag in (True, False))
    assert bool((images.labels[across[:, 0]] == images.labels[across[:, 1]]).all())
    assert bool((cameras[across[:, 0]] != cameras[across[:, 1]]).all())
    counts = np.bincount(images.labels.numpy())
    assert len(any_camera) == int((counts * (counts - 1) // 2).sum())
    assert len(across) < len(any_camera)
    assert len(PositivePairs(images, across_cameras=True, copies=3)) == 3 * len(across)


def test_without_cameras_all_pairs_serve(dataset: ReidDataset, tiny: Tiny) -> None:
    samples = [Sample(sample.path, sample.pid) for sample in dataset.train]
    images = TrainingImages(samples, tiny().images)
    assert len(PositivePairs(images, across_cameras=True)) == len(PositivePairs(images, across_cameras=False))


def test_no_pairs_is_an_error(dataset: ReidDataset, tiny: Tiny) -> None:
    firsts = list({sample.pid: sample for sample in dataset.train}.values())
    for samples in (firsts, [sample for sample in dataset.train if sample.pid == firsts[0].pid]):
        with pytest.raises(TrainingError, match="two people or more, and two images of one"):
            PositivePairs(TrainingImages(samples, tiny().images), across_cameras=True)


def test_batches_count_pairs(dataset: ReidDataset, tiny: Tiny) -> None:
    recipe = tiny(batches={"size": 13})
    module = CsnPairDataModule(TrainingImages(dataset.train, recipe.images), recipe)
    batch = module.prepare(next(iter(module.train_dataloader())))
    assert len(batch.pairs) == len(batch.matched) == 12  # 4 positive and 8 negative pairs of 8 images
    assert batch.images.shape == (8, 3, 40, 16)
    assert 0 <= float(batch.images.min()) <= float(batch.images.max()) <= 1


def test_contrastive_loss_is_equation_4() -> None:
    torch.manual_seed(0)
    one, other = torch.rand(2, 5, 4, dtype=torch.float64)
    matched = torch.tensor([True, False, False, True, False])
    total = 0.0
    for a, b, y in zip(one, other, matched, strict=True):
        d = float((a - b).square().sum().sqrt())
        total += d**2 if y else max(0.0, 0.7 - d) ** 2
    assert float(contrastive_loss(one, other, matched, margin=0.7)) == pytest.approx(total / 10)


def test_equal_vectors_have_a_gradient() -> None:
    one = torch.ones(1, 3, requires_grad=True)
    contrastive_loss(one, torch.ones(1, 3), torch.tensor([False])).backward()
    assert one.grad is not None
    assert bool(one.grad.isfinite().all())
    assert float(distances(one.detach(), torch.ones(1, 3))) == 0


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"contrastive_loss: expected vectors \(m, D\)"):
        contrastive_loss(torch.zeros(2, 3), torch.zeros(3, 3), torch.zeros(2, dtype=torch.bool))


def test_the_prior_holds_parts_inside_and_upright() -> None:
    good = torch.tensor([[0.5, 0.0, 0.4], [0.0, 0.6, -0.4]])
    upside_down, outside, turned = good.clone(), good.clone(), good.clone()
    upside_down[1, 1] = -0.6
    outside[0, 2] = 0.8
    turned[0, 1] = 0.1
    assert [float(value) for value in prior_losses([good])] == [0, 0]
    assert [float(value) for value in prior_losses([upside_down])] == pytest.approx([0.7, 0])
    assert [float(value) for value in prior_losses([outside])] == pytest.approx([0.3, 0])
    assert [float(value) for value in prior_losses([turned])] == pytest.approx([0, 0.1])
    levels = [good.expand(2, 3, 2, 3), outside.expand(2, 3, 2, 3)]
    assert float(prior_losses(levels)[0]) == pytest.approx(0.15)


def test_every_part_of_the_network_learns(dataset: ReidDataset, tiny: Tiny) -> None:
    recipe = tiny(network={"levels": [2, 3, 4]})
    module = PairModule(CsnNetwork(recipe.network, recipe.images.size), recipe)
    data = CsnPairDataModule(TrainingImages(dataset.train, recipe.images), recipe)
    module.log_dict = lambda *_, **__: None  # type: ignore[method-assign]
    batch = data.prepare(next(iter(data.train_dataloader())))
    module.training_step(batch, 0).backward()
    for name, value in module.network.named_parameters():
        assert value.grad is not None, name
        if "localisation" in name and "embedding" not in name:
            continue  # the layer behind them starts at zero
        assert bool(value.grad.abs().sum() > 0), name


def test_a_training_ends_in_a_checkpoint(dataset: ReidDataset, tiny: Tiny, tmp_path: Path) -> None:
    weights = train(tiny(), dataset, tmp_path, progress=False)
    loaded = load_checkpoint(weights)
    assert isinstance(loaded.network, CsnNetwork)
    assert loaded.recipe == tiny()
    assert "loss/ranking" in next((tmp_path / "logs").glob("version_0/metrics.csv")).read_text()


def test_the_same_seed_trains_the_same_network(dataset: ReidDataset, tiny: Tiny, tmp_path: Path) -> None:
    one, other = (load_checkpoint(train(tiny(), dataset, tmp_path / n, progress=False)) for n in "ab")
    for a, b in zip(one.network.parameters(), other.network.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("name", ["cuhk03", "cuhk03_extended", "cuhk01", "viper"])
def test_the_papers_recipes(name: str) -> None:
    recipe = load_recipe(f"csn/{name}")
    assert recipe.images.size == (160, 60)
    assert recipe.optimizer.name == "adam"
    assert (recipe.optimizer.lr, recipe.optimizer.weight_decay, recipe.training.epochs) == (5e-4, 5e-4, 5)
    assert recipe.batches.size == (256 if name.startswith("cuhk03") else 128)


def test_losses_of_other_papers_are_refused() -> None:
    values = load_recipe("csn/demo").model_dump(mode="json")
    values["losses"] = [{"name": "triplet"}]
    with pytest.raises(RecipeError, match="losses"):
        parse_recipe(values)
