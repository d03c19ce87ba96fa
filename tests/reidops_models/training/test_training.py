"""Training runs, learns, stops and goes on."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from reidops_models.checkpoint import load_checkpoint
from reidops_models.data import ReidDataset, load_market1501, write_synthetic
from reidops_models.dsr import DsrNetwork
from reidops_models.paper import find_paper
from reidops_models.recipe import Recipe, load_recipe, parse_recipe
from reidops_models.training.data import EpochSampler, ReidDataModule, TrainingImages
from reidops_models.training.finite import FiniteWeights
from reidops_models.training.module import ReidModule
from reidops_models.training.run import TrainingError, build_trainer, quiet, train


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ReidDataset:
    root = tmp_path_factory.mktemp("people")
    write_synthetic(root, "tiny", seed=0, progress=False)
    return load_market1501(root)


def tiny(**sections: dict[str, Any]) -> Recipe:
    """The demo recipe at the size of the tiny set."""
    values = load_recipe("dsr/demo").model_dump(mode="json")
    values["images"]["size"] = [64, 32]
    values["batches"] = {"size": 8}
    values["training"] |= {"epochs": 2, "accelerator": "cpu"}
    for section, changes in sections.items():
        values[section] |= changes
    return parse_recipe(values)


def test_a_training_leaves_a_checkpoint_and_logs(tmp_path: Path, dataset: ReidDataset) -> None:
    path = train(tiny(), dataset, tmp_path, progress=False)
    checkpoint = load_checkpoint(path, model="dsr")
    assert checkpoint.identities == len({sample.pid for sample in dataset.train})
    assert checkpoint.recipe == tiny()
    assert checkpoint.notes["training images"] == len(dataset.train)
    logs = tmp_path / "logs" / "version_0"
    with (logs / "metrics.csv").open() as file:
        losses = [float(row["loss_epoch"]) for row in csv.DictReader(file) if row["loss_epoch"]]
    assert len(losses) == 2
    assert list(logs.glob("events.out.tfevents.*"))


def test_a_resumed_training_ends_where_an_uninterrupted_one_does(tmp_path: Path, dataset: ReidDataset) -> None:
    recipe = tiny(training={"epochs": 3})
    straight = train(recipe, dataset, tmp_path / "straight", progress=False)
    interrupted = tmp_path / "interrupted"
    stop_after_first_epoch(recipe, dataset, interrupted)
    state = torch.load(interrupted / "last.ckpt", weights_only=True)
    assert (state["epoch"], state["global_step"]) == (0, len(dataset.train) // 8)

    resumed = train(recipe, dataset, interrupted, resume=interrupted / "last.ckpt", progress=False)
    state = torch.load(interrupted / "last.ckpt", weights_only=True)
    assert (state["epoch"], state["global_step"]) == (2, 3 * (len(dataset.train) // 8))
    expected = load_checkpoint(straight).network.state_dict()
    for name, value in load_checkpoint(resumed).network.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=0)


def test_weights_that_are_no_numbers_end_a_training_and_nothing_of_them_is_stored(
    tmp_path: Path, dataset: ReidDataset
) -> None:
    out = tmp_path / "run"
    stop_after_first_epoch(tiny(), dataset, out)
    before = torch.load(out / "last.ckpt", weights_only=True)

    class Spoils(ReidModule):
        def training_step(self, batch: tuple[torch.Tensor, torch.Tensor], index: int) -> torch.Tensor:
            return super().training_step(batch, index) * float("nan")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(find_paper("dsr")), "build_module", lambda paper, network, recipe: Spoils(network, recipe))
        with pytest.raises(
            TrainingError, match=r"training: in epoch 2 network\.\S+ is no longer finite; .*optimizer\.lr"
        ):
            train(tiny(), dataset, out, resume=out / "last.ckpt", progress=False)
    assert not (out / "model.safetensors").exists()
    after = torch.load(out / "last.ckpt", weights_only=True)
    assert after["epoch"] == before["epoch"] == 0
    assert all(value.isfinite().all() for value in after["state_dict"].values() if value.is_floating_point())


def test_a_loss_that_is_no_number_is_noticed_within_an_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reidops_models.training.finite.EVERY", 2)
    trainer = SimpleNamespace(current_epoch=0, optimizers=[SimpleNamespace(param_groups=[{"lr": 0.1}])])
    module, finite = torch.nn.Linear(2, 1), FiniteWeights()
    nan = {"loss": torch.tensor(float("nan"))}
    finite.on_train_batch_end(trainer, module, nan, None, 0)  # a step that was left out: the weights stay
    finite.on_train_batch_end(trainer, module, nan, None, 1)
    torch.nn.init.constant_(module.weight, float("nan"))
    finite.on_train_batch_end(trainer, module, {"loss": torch.tensor(1.0)}, None, 2)
    finite.on_train_batch_end(trainer, module, {"loss": torch.tensor(1.0)}, None, 3)  # no loss says so
    finite.on_train_batch_end(trainer, module, nan, None, 4)
    with pytest.raises(TrainingError, match=r"in epoch 1 weight is no longer finite"):
        finite.on_train_batch_end(trainer, module, nan, None, 5)


def test_another_seed_gives_another_network(tmp_path: Path, dataset: ReidDataset) -> None:
    networks = []
    for seed in (0, 1):
        recipe = tiny(training={"seed": seed, "epochs": 1})
        networks.append(load_checkpoint(train(recipe, dataset, tmp_path / str(seed), progress=False)).network)
    weights = [network.state_dict()["backbone.conv1.weight"] for network in networks]
    assert not weights[0].equal(weights[1])


@pytest.mark.parametrize(
    "losses",
    [
        [{"name": "cross_entropy"}],
        [{"name": "cross_entropy", "label_smoothing": 0.1}, {"name": "triplet", "margin": 0.3}],
        [{"name": "cross_entropy"}, {"name": "contrastive", "margin": 1.0, "weight": 0.5}],
    ],
    ids=lambda losses: "+".join(loss["name"] for loss in losses),
)
def test_the_loss_goes_down_on_one_batch(dataset: ReidDataset, losses: list[dict[str, Any]]) -> None:
    torch.manual_seed(0)
    values = tiny().model_dump(mode="json")
    values["batches"]["images_per_identity"] = 2
    recipe = parse_recipe({**values, "losses": losses})
    images = TrainingImages(dataset.train, recipe.images)
    batch, labels = images.__getitems__(list(range(16)))
    module = ReidModule(DsrNetwork(recipe.network, images.identities), recipe)  # type: ignore[attr-defined]
    module.log_dict = lambda *arguments, **options: None  # type: ignore[assignment]  # there is no Trainer to log to
    optimizer = torch.optim.AdamW(module.parameters(), 2e-3)
    values = []
    for _ in range(25):
        loss = module.loss(module.network.classify(batch / 255), labels)  # type: ignore[operator]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.5 * values[0]


def test_pk_batches_hold_k_images_of_each_identity(dataset: ReidDataset) -> None:
    recipe = tiny(batches={"size": 8, "images_per_identity": 2})
    images = TrainingImages(dataset.train, recipe.images)
    for batch, labels in ReidDataModule(images, recipe).train_dataloader():
        assert batch.shape == (8, 3, 64, 32)
        assert batch.dtype == torch.uint8
        assert labels.unique(return_counts=True)[1].tolist() == [2, 2, 2, 2]


def test_cached_images_are_the_images(dataset: ReidDataset) -> None:
    cached, read = (TrainingImages(dataset.train, tiny(images={"cache": cache}).images) for cache in (True, False))
    for index in (0, len(cached) - 1):
        assert cached[index][0].equal(read[index][0])
    assert cached.__getitems__([2, 1])[1].tolist() == [cached[2][1], cached[1][1]]


@pytest.mark.parametrize("images_per_identity", [0, 2])
def test_the_order_depends_on_seed_and_epoch_alone(dataset: ReidDataset, images_per_identity: int) -> None:
    images = TrainingImages(dataset.train, tiny().images)
    samplers = []
    for seed in (0, 1):
        recipe = tiny(training={"seed": seed}, batches={"images_per_identity": images_per_identity})
        samplers.append(ReidDataModule(images, recipe).train_dataloader().sampler)

    def order(seed: int, epoch: int) -> list[int]:
        sampler = samplers[seed]
        assert isinstance(sampler, EpochSampler)
        sampler.set_epoch(epoch)
        torch.rand(3)
        return list(sampler)

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 2)
    assert order(0, 1) != order(1, 1)


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_the_order_by_whole_batches(dataset: ReidDataset, processes: int) -> None:
    recipe = tiny(batches={"size": 8, "images_per_identity": 2})
    images = TrainingImages(dataset.train, recipe.images)
    whole = list(ReidDataModule(images, recipe).train_dataloader().sampler)
    shares = []
    for rank in range(processes):
        data = ReidDataModule(images, recipe)
        data.trainer = SimpleNamespace(global_rank=rank, world_size=processes)  # type: ignore[assignment]
        loader = data.train_dataloader()
        assert len(loader.sampler) == len(list(loader.sampler))  # type: ignore[arg-type]
        shares.append(list(loader.sampler))
        assert all(labels.unique(return_counts=True)[1].tolist() == [2, 2, 2, 2] for _, labels in loader)
    assert len({len(share) for share in shares}) == 1
    turns = [share[start : start + 8] for start in range(0, len(shares[0]), 8) for share in shares]
    assert [index for turn in turns for index in turn] == whole[: 8 * len(turns)]


def test_what_cannot_start_says_so_in_one_line(tmp_path: Path, dataset: ReidDataset) -> None:
    too_many = tiny(batches={"size": 32, "images_per_identity": 2})
    with pytest.raises(TrainingError, match="16 identities x 2 images, but there are 8 identities"):
        train(too_many, dataset, tmp_path, progress=False)
    with pytest.raises(TrainingError, match="invalid accelerator name: `accelerator='abacus'`"):
        train(tiny(training={"accelerator": "abacus"}), dataset, tmp_path, progress=False)
    data = ReidDataModule(TrainingImages(dataset.train, tiny().images), tiny())
    data.trainer = SimpleNamespace(global_rank=0, world_size=5)  # type: ignore[assignment]
    with pytest.raises(TrainingError, match="32 examples are less than a batch of 8 for each of 5 processes"):
        data.train_dataloader()


def test_what_is_no_state_of_this_training_is_not_resumed(tmp_path: Path, dataset: ReidDataset) -> None:
    state = tmp_path / "last.ckpt"
    weights = DsrNetwork(tiny().network, 5).state_dict()  # type: ignore[attr-defined]
    of_another = {"state_dict": {f"network.{name}": value for name, value in weights.items()}}
    for content, complaint in (
        (b"junk", "not a file of weights"),
        ([1], "not a state to resume from"),
        (of_another, r"another network: shape: network.classifier.weight \(5, 192\) instead of \(8, 192\)"),
    ):
        state.write_bytes(content) if isinstance(content, bytes) else torch.save(content, state)
        with pytest.raises(TrainingError, match=complaint) as caught:
            train(tiny(), dataset, tmp_path, resume=state, progress=False)
        assert "\n" not in str(caught.value)


def test_an_interrupted_training_is_interrupted(
    tmp_path: Path, dataset: ReidDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ReidModule, "training_step", interrupted)
    monkeypatch.setattr("signal.signal", lambda *arguments: None)  # Lightning turns a second Ctrl-C off
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), dataset, tmp_path, progress=False)
    assert not (tmp_path / "model.safetensors").exists()


def test_a_training_says_nothing_but_what_it_is_asked_for(
    tmp_path: Path, dataset: ReidDataset, capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    train(tiny(training={"epochs": 1}), dataset, tmp_path, progress=False)
    assert capsys.readouterr() == ("", "")
    assert [str(warning.message) for warning in recwarn if "lightning" in warning.filename] == []


def test_nothing_to_train_on_or_to_resume_from(tmp_path: Path, dataset: ReidDataset) -> None:
    empty = ReidDataset("empty", dataset.root, [], [], [])
    with pytest.raises(TrainingError, match="no training images"):
        train(tiny(), empty, tmp_path, progress=False)
    with pytest.raises(TrainingError, match="no such file to resume from"):
        train(tiny(), dataset, tmp_path, resume=tmp_path / "none.ckpt", progress=False)


def stop_after_first_epoch(recipe: Recipe, dataset: ReidDataset, out: Path) -> None:
    """As if the machine had gone down in the second epoch."""

    class PowerCutError(Exception):
        pass

    class Cut(ReidModule):
        def on_train_epoch_start(self) -> None:
            if self.current_epoch == 1:
                raise PowerCutError

    torch.manual_seed(recipe.training.seed)
    images = TrainingImages(dataset.train, recipe.images)
    network = DsrNetwork(recipe.network, images.identities)  # type: ignore[attr-defined]
    network.to(memory_format=torch.channels_last)
    out.mkdir()
    with quiet(), pytest.raises(PowerCutError):
        build_trainer(recipe, out, steps=4).fit(Cut(network, recipe), ReidDataModule(images, recipe))
