"""Fine-tuning with DSR: what it learns, what it starts from, that it can be stopped, and what its recipe may say."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from reidops_models.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from reidops_models.data import ReidDataset, load_market1501, write_synthetic
from reidops_models.dsr import DsrNetwork, DsrRecipe
from reidops_models.dsr.pairs import DsrPairBatch, DsrPairDataModule
from reidops_models.dsr.training import FineTuningModule
from reidops_models.recipe import load_recipe, parse_recipe
from reidops_models.training.data import TrainingImages
from reidops_models.training.run import TrainingError, build_trainer, quiet, train


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ReidDataset:
    root = tmp_path_factory.mktemp("people")
    write_synthetic(root, "tiny", seed=0, progress=False)
    return load_market1501(root)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights, which serve as pre-trained ones."""
    return save_network(tmp_path_factory.mktemp("start") / "model", identities=8)


def save_network(path: Path, identities: int, **options: Any) -> Path:
    values = load_recipe("dsr/demo").model_dump(mode="json")
    values["network"] |= options
    recipe = parse_recipe(values)
    assert isinstance(recipe, DsrRecipe)
    torch.manual_seed(1)
    return save_checkpoint(path, Checkpoint(DsrNetwork(recipe.network, identities), recipe, identities))


def tiny(**sections: Any) -> DsrRecipe:
    """The demo's fine-tuning at the size of the tiny set."""
    values = load_recipe("dsr/demo_finetune").model_dump(mode="json")
    values["images"]["size"] = [64, 32]
    values["batches"] = {"size": 8}
    values["training"] |= {"epochs": 2, "accelerator": "cpu"}
    values["fine_tuning"] |= {"positive_pairs": 16, "negative_pairs": 16}
    for section, changes in sections.items():
        values[section] = values[section] | changes if isinstance(changes, dict) else changes
    recipe = parse_recipe(values)
    assert isinstance(recipe, DsrRecipe)
    return recipe


@pytest.mark.parametrize("losses", [[], [{"name": "cross_entropy"}]], ids=["alone", "with identification"])
@pytest.mark.parametrize("gradient", ["constant", "implicit"])
def test_positive_pairs_come_together_and_negative_ones_do_not(
    dataset: ReidDataset, gradient: str, losses: list[dict[str, Any]]
) -> None:
    recipe = tiny(losses=losses, fine_tuning={"gradient": gradient, "patch_height": [0.6, 0.6]})
    module, batches = module_and_batches(recipe, dataset)
    batch = batches[0]
    logged: dict[str, float] = {}
    module.log = lambda name, value, **options: logged.update({name: float(value)})  # type: ignore[assignment]
    optimizer = torch.optim.AdamW(module.parameters(), 1e-3)
    gaps = []
    for _ in range(15):
        loss = module.training_step(batch, 0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        gaps.append(logged["distance/negative"] - logged["distance/positive"])
    assert gaps[-1] > gaps[0] + 0.1


def test_what_is_logged_is_what_the_distance_says(dataset: ReidDataset) -> None:
    import reidops

    recipe = tiny(losses=[], fine_tuning={"weight": 2.0, "freeze_batch_norm": True})
    module, batches = module_and_batches(recipe, dataset)
    module.eval()
    logged: dict[str, float] = {}
    module.log = lambda name, value, **options: logged.update({name: float(value)})  # type: ignore[assignment]
    batch = batches[0]
    loss = module.training_step(batch, 0)
    with torch.no_grad():
        holistic, patches = module.network(batch.holistic), module.network(batch.patches)
    distances = [float(reidops.dsr_distance(p[None], h[None], 0.4)) for p, h in zip(patches, holistic, strict=True)]
    signs = batch.alpha.tolist()
    expected = sum(sign * distance for sign, distance in zip(signs, distances, strict=True)) / len(signs)
    assert loss.item() == pytest.approx(2 * expected, abs=1e-5)
    for name, sign in (("positive", 1), ("negative", -1)):
        chosen = [distance for distance, other in zip(distances, signs, strict=True) if other == sign]
        assert logged[f"distance/{name}"] == pytest.approx(sum(chosen) / max(len(chosen), 1), abs=1e-5)
    assert logged["objective"] > expected  # by the penalty


def module_and_batches(
    recipe: DsrRecipe, dataset: ReidDataset, steps: int | None = None
) -> tuple[FineTuningModule, list[DsrPairBatch]]:
    torch.manual_seed(0)
    images = TrainingImages(dataset.train, recipe.images)
    data = DsrPairDataModule(images, recipe)
    batches = [data.prepare(batch) for batch in islice(data.train_dataloader(), steps)]
    return FineTuningModule(DsrNetwork(recipe.network, images.identities), recipe), batches


def test_a_fine_tuning_leaves_a_checkpoint_and_logs(tmp_path: Path, dataset: ReidDataset, start: Path) -> None:
    path = train(tiny(), dataset, tmp_path, start=start, progress=False)
    checkpoint = load_checkpoint(path, model="dsr")
    assert checkpoint.recipe == tiny()
    assert checkpoint.notes["start"] == "model"
    before, after = load_checkpoint(start).network.state_dict(), checkpoint.network.state_dict()
    assert all(not after[name].equal(before[name]) for name in ("backbone.conv1.weight", "classifier.weight"))
    with (tmp_path / "logs" / "version_0" / "metrics.csv").open() as file:
        epochs = [row for row in csv.DictReader(file) if row["distance/positive"]]
    assert len(epochs) == 2
    for row in epochs:
        assert all(0 < float(row[f"distance/{name}"]) < 1 for name in ("positive", "negative"))


def test_the_means_of_an_epoch_are_over_its_pairs(tmp_path: Path, dataset: ReidDataset, start: Path) -> None:
    """Batches of two pairs, of which two have no positive one."""
    recipe = tiny(
        losses=[],
        batches={"size": 2},
        images={"flip": 0.0, "shift": 0.0, "jitter": 0.0},
        training={"epochs": 1},
        optimizer={"lr": 1e-30, "weight_decay": 0.0},
        fine_tuning={
            "positive_pairs": 1,
            "negative_pairs": 5,
            "freeze_batch_norm": True,
            "patch_height": [1, 1],
            "patch_width": [1, 1],
        },
    )
    train(recipe, dataset, tmp_path, start=start, progress=False)
    with (tmp_path / "logs" / "version_0" / "metrics.csv").open() as file:
        (epoch,) = [row for row in csv.DictReader(file) if row["distance/positive"]]
    images = TrainingImages(dataset.train, recipe.images)
    pairs = DsrPairDataModule(images, recipe).examples
    module = FineTuningModule(load_checkpoint(start).network, recipe)  # type: ignore[arg-type]
    values: dict[str, float] = {}
    module.log = lambda name, value, **options: values.update({name: float(value)})  # type: ignore[assignment]
    batch = pairs.__getitems__(list(range(6)))
    module.training_step(batch._replace(holistic=batch.holistic / 255, patches=batch.patches / 255), 0)
    for name in ("distance/positive", "distance/negative"):
        assert float(epoch[name]) == pytest.approx(values[name], abs=1e-4)


def test_a_resumed_fine_tuning_ends_where_an_uninterrupted_one_does(
    tmp_path: Path, dataset: ReidDataset, start: Path
) -> None:
    recipe = tiny()
    straight = train(recipe, dataset, tmp_path / "straight", start=start, progress=False)
    interrupted = tmp_path / "interrupted"
    stop_after_first_epoch(recipe, dataset, start, interrupted)
    assert torch.load(interrupted / "last.ckpt", weights_only=True)["epoch"] == 0
    resumed = train(recipe, dataset, interrupted, resume=interrupted / "last.ckpt", progress=False)
    expected = load_checkpoint(straight).network.state_dict()
    for name, value in load_checkpoint(resumed).network.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)


def stop_after_first_epoch(recipe: DsrRecipe, dataset: ReidDataset, start: Path, out: Path) -> None:
    """As if the machine had gone down in the second epoch."""

    class PowerCutError(Exception):
        pass

    class Cut(FineTuningModule):
        def on_train_epoch_start(self) -> None:
            super().on_train_epoch_start()
            if self.current_epoch == 1:
                raise PowerCutError

    network = load_checkpoint(start).network.train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    data = DsrPairDataModule(TrainingImages(dataset.train, recipe.images), recipe)
    out.mkdir()
    with quiet(), pytest.raises(PowerCutError):
        build_trainer(recipe, out, steps=4).fit(Cut(network, recipe), data)  # type: ignore[arg-type]


@pytest.mark.parametrize("frozen", [True, False])
def test_batch_normalisation_keeps_its_statistics_if_told_to(
    tmp_path: Path, dataset: ReidDataset, start: Path, frozen: bool
) -> None:
    recipe = tiny(training={"epochs": 1}, fine_tuning={"freeze_batch_norm": frozen})
    after = load_checkpoint(train(recipe, dataset, tmp_path, start=start, progress=False)).network
    before = dict(load_checkpoint(start).network.named_modules())
    layers = [(name, layer) for name, layer in after.named_modules() if isinstance(layer, nn.BatchNorm2d)]
    assert layers
    for name, layer in layers:
        old = before[name]
        assert isinstance(old, nn.BatchNorm2d)
        assert old.running_mean is not None
        assert layer.running_mean is not None
        assert layer.running_mean.equal(old.running_mean) == frozen
        assert not layer.weight.equal(old.weight)  # which is trained either way


def test_without_identification_loss_the_classifier_is_left_alone(
    tmp_path: Path, dataset: ReidDataset, start: Path
) -> None:
    recipe = tiny(losses=[], training={"epochs": 1})
    after = load_checkpoint(train(recipe, dataset, tmp_path, start=start, progress=False)).network.state_dict()
    before = load_checkpoint(start).network.state_dict()
    assert after["classifier.weight"].equal(before["classifier.weight"])
    assert not after["backbone.conv1.weight"].equal(before["backbone.conv1.weight"])


def test_a_classifier_of_other_people_starts_anew(
    tmp_path: Path, dataset: ReidDataset, caplog: pytest.LogCaptureFixture
) -> None:
    other = save_network(tmp_path / "other", identities=5)
    path = train(tiny(training={"epochs": 1}), dataset, tmp_path / "out", start=other, progress=False)
    assert load_checkpoint(path).identities == 8
    assert [record.getMessage() for record in caplog.records if "reidops" in record.name] == [
        f"{other}: trained on 5 identities, not as many as here, so these weights start anew: "
        "classifier.weight, classifier.bias"
    ]


def test_what_cannot_be_started_from_says_so_in_one_line(tmp_path: Path, dataset: ReidDataset) -> None:
    with pytest.raises(TrainingError, match="a fine-tuning needs a checkpoint to start from"):
        train(tiny(), dataset, tmp_path / "out", progress=False)
    with pytest.raises(CheckpointError, match=r"none: no file none\.json"):
        train(tiny(), dataset, tmp_path / "out", start="none", progress=False)
    other = save_network(tmp_path / "other", identities=8, backbone="resnet18")
    with pytest.raises(CheckpointError, match="the weights do not fit the recipe's network: unexpected: ") as caught:
        train(tiny(), dataset, tmp_path / "out", start=other, progress=False)
    assert "\n" not in str(caught.value)


def test_pre_training_can_start_from_weights_too(tmp_path: Path, dataset: ReidDataset, start: Path) -> None:
    recipe = tiny(losses=[{"name": "cross_entropy"}], fine_tuning=None, optimizer={"lr": 1e-30, "weight_decay": 0.0})
    after = load_checkpoint(train(recipe, dataset, tmp_path, start=start, progress=False)).network.state_dict()
    before = load_checkpoint(start).network.state_dict()
    torch.testing.assert_close(after["backbone.conv1.weight"], before["backbone.conv1.weight"])


@pytest.mark.parametrize("name", ["market1501_fcn_finetune", "market1501_resnet50_finetune"])
def test_the_papers_networks_take_a_step(dataset: ReidDataset, name: str) -> None:
    values = load_recipe(f"dsr/{name}").model_dump(mode="json")
    values["images"] |= {"size": [96, 64], "workers": 0}
    values["batches"]["size"] = 4
    recipe = parse_recipe(values)
    assert isinstance(recipe, DsrRecipe)
    module, batches = module_and_batches(recipe, dataset, steps=1)
    module.log = lambda name, value, **options: None  # type: ignore[assignment]
    module.training_step(batches[0], 0).backward()
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


def test_maps_of_a_batch_have_blocks_of_several_sizes(dataset: ReidDataset) -> None:
    recipe = tiny(losses=[], fine_tuning={"scales": [1, 2]})
    module, batches = module_and_batches(recipe, dataset)
    module.log = lambda name, value, **options: None  # type: ignore[assignment]
    module.training_step(batches[0], 0).backward()
    gradient = module.network.backbone.conv1.weight.grad  # type: ignore[union-attr]
    assert gradient.isfinite().all()
    assert gradient.abs().sum() > 0
