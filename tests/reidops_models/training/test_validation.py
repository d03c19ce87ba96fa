"""Validation people say which epoch was the best, and change nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reidops_models.checkpoint import load_checkpoint
from reidops_models.data import DatasetError, ReidDataset
from reidops_models.recipe import Recipe, load_recipe
from reidops_models.training.progress import EpochReport
from reidops_models.training.run import TrainingError, train
from reidops_models.training.validation import Scores, Validator


def tiny(*overrides: str) -> Recipe:
    small = ["images.size=[64,32]", "batches.size=8", "training.epochs=3", "training.accelerator=cpu"]
    return load_recipe("dsr/demo", [*small, *overrides])


def same_weights(one: Path, other: Path) -> bool:
    first, second = (load_checkpoint(path).network.state_dict() for path in (one, other))
    return all(value.equal(second[name]) for name, value in first.items())


def test_weights_are_the_same_with_and_without_validation_people(tmp_path: Path, dataset: ReidDataset) -> None:
    assert dataset.validation is not None
    reports: list[EpochReport] = []
    often = train(tiny("validation.every=1"), dataset, tmp_path / "often", progress=reports.append)
    without = train(tiny(), replace(dataset, validation=None), tmp_path / "without")
    assert same_weights(often, without)
    assert not (tmp_path / "without" / "best.json").exists()

    assert [(report.epoch, report.epochs) for report in reports] == [(1, 3), (2, 3), (3, 3)]
    scores = [report.validation for report in reports if report.validation is not None]
    assert len(scores) == 3
    best = max(scores, key=lambda score: score.mAP)
    notes = load_checkpoint(tmp_path / "often" / "best").notes
    assert notes["validation"] == {"epoch": best.epoch, "rank1": best.rank1, "mAP": best.mAP, "probes": "query"}
    assert [report.epoch for report in reports if report.best][-1] == best.epoch
    assert same_weights(tmp_path / "often" / "best", often) == (best.epoch == 3)


def test_every_few_epochs_and_after_the_last(tmp_path: Path, dataset: ReidDataset) -> None:
    reports: list[EpochReport] = []
    train(tiny("validation.every=2"), dataset, tmp_path, progress=reports.append)
    assert [report.epoch for report in reports if report.validation] == [2, 3]


def test_a_resumed_training_goes_on_with_the_best_so_far(
    tmp_path: Path, dataset: ReidDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first epoch is the best one by far; the machine goes down after the second."""
    scores = {1: 0.9, 2: 0.5, 3: 0.6}
    monkeypatch.setattr(
        "reidops_models.training.validation.Validator._scores",
        lambda validator, network, epoch: Scores(epoch, 0.0, scores[epoch]),
    )

    class PowerCutError(Exception):
        pass

    def cut(report: EpochReport) -> None:
        if report.epoch == 3:
            raise PowerCutError

    recipe = tiny("validation.every=1")
    with pytest.raises(PowerCutError):
        train(recipe, dataset, tmp_path, progress=cut)
    best = {path.name: path.read_bytes() for path in tmp_path.glob("best.*")}
    with pytest.raises(TrainingError, match=r"holds a trained model \(last\.ckpt\)"):
        train(recipe, dataset, tmp_path)
    train(recipe, dataset, tmp_path, resume=tmp_path / "last.ckpt")
    assert load_checkpoint(tmp_path / "best").notes["validation"]["epoch"] == 1
    assert {path.name: path.read_bytes() for path in tmp_path.glob("best.*")} == best


def test_a_replaced_model_stays_until_the_new_one_is_written(tmp_path: Path, dataset: ReidDataset) -> None:
    recipe = tiny("training.epochs=1")
    weights = train(recipe, dataset, tmp_path)
    old = weights.read_bytes()
    during: list[bytes] = []
    train(
        load_recipe("dsr/demo", ["images.size=[64,32]", "batches.size=8", "training.epochs=1", "training.seed=1"]),
        dataset,
        tmp_path,
        overwrite=True,
        progress=lambda report: during.append(weights.read_bytes()),
    )
    assert during == [old]
    assert weights.read_bytes() != old
    assert not list(tmp_path.glob("*.part"))
    with pytest.raises(TrainingError, match="exclude each other"):
        train(recipe, dataset, tmp_path, resume=tmp_path / "last.ckpt", overwrite=True)


def test_people_that_cannot_be_searched_stop_no_training(
    tmp_path: Path, dataset: ReidDataset, caplog: pytest.LogCaptureFixture
) -> None:
    assert dataset.validation is not None
    strangers = [replace(sample, pid=sample.pid + 1000) for sample in dataset.validation.query]
    unknown = replace(dataset, validation=replace(dataset.validation, query=strangers))
    assert train(tiny("training.epochs=1"), unknown, tmp_path).is_file()
    assert "no validation: no probe of query has a right image" in caplog.text
    with pytest.raises(DatasetError, match="no probe set 'none'"):
        train(tiny("validation.probes=none"), dataset, tmp_path / "none")


def test_no_more_probes_than_the_limit_spread_over_all(dataset: ReidDataset) -> None:
    assert dataset.validation is not None
    every = dataset.validation.query
    for limit in (1, 2, 3, len(every), 100):
        probes = Validator(tiny(f"validation.limit={limit}"), dataset.validation, lambda network, scores: None).probes
        assert probes[0] == every[0]
        assert 0 < len(probes) <= limit
    assert list(probes) == list(every)


def test_random_states_are_put_back(tmp_path: Path, dataset: ReidDataset) -> None:
    states: list[torch.Tensor] = []
    for every in (0, 1):
        train(
            tiny("training.epochs=1", f"validation.every={every}"),
            dataset,
            tmp_path / str(every),
            progress=lambda report: states.append(torch.get_rng_state()),
        )
    assert states[0].equal(states[1])
