"""`evaluate --save-distances`, `score` and `calibrate`: one after the other, as a user would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reidops_models.data import write_synthetic

from ..conftest import Run


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn people, some of whom are not in the gallery. Read only."""
    return write_synthetic(tmp_path_factory.mktemp("crowd") / "crowd", "tiny", strangers=4, workers=1)


def test_saved_distances_score_as_they_did(run: Run, crowd: Path, checkpoint: Path, tmp_path: Path) -> None:
    saved = tmp_path / "d.npz"
    arguments = ["--data", crowd, "--checkpoint", checkpoint, "--out", tmp_path / "one", "--pictures", "0"]
    code, printed, complaints = run("evaluate", *arguments, "--save-distances", saved, "--memory", "0.1")
    assert (code, complaints) == (0, [])
    assert "open set: 12 probes of strangers" in printed
    assert "24 probes of 8 people" in printed
    assert "12 more have no right image in the gallery" in printed
    code, again, complaints = run("score", saved, "--out", tmp_path / "two", "--trec", tmp_path / "runs")
    assert (code, complaints) == (0, [])
    one, two = (json.loads((tmp_path / name / "evaluation.json").read_text()) for name in ("one", "two"))
    assert one["methods"] == two["methods"]
    assert 0 <= one["methods"]["DSR multi-scale"]["open set"]["dir at far"]["0.1"] <= 1
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "qrels",
        "resizing-model.run",
        "dsr-single-scale.run",
        "dsr-multi-scale.run",
    }
    assert not (tmp_path / "two" / "report.html").exists()
    code, again, _ = run("score", saved, "--shots", "1", "--repeats", "2")
    assert code == 0
    assert "d.npz, 1 shot, 2 draws" in again


def test_what_cannot_be_scored_is_one_line(run: Run, people: Path, checkpoint: Path, tmp_path: Path) -> None:
    for arguments, expected in (
        ([tmp_path / "missing.npz"], "missing.npz: No such file or directory"),
        ([tmp_path / "d.txt"], "d.txt: expected a file that ends in .npz, .npy, .parquet"),
    ):
        code, _, complaints = run("score", *arguments)
        assert (code, len(complaints)) == (2, 1)
        assert expected in complaints[0]
    arguments = ["--data", people, "--checkpoint", checkpoint, "--methods", "resizing-model"]
    code, printed, complaints = run("evaluate", *arguments, "--save-distances", tmp_path / "d.npy")
    assert (code, len(complaints)) == (2, 1)
    assert "d.npy: expected a file that ends in .npz, .parquet" in complaints[0]
    assert "rank-1" not in printed  # found before the long work
    with pytest.raises(SystemExit):
        run("evaluate", *arguments, "--memory", "0.01")


def test_a_calibration_lies_beside_the_checkpoint_and_is_held_against_other_people(
    run: Run, crowd: Path, checkpoint: Path, tmp_path: Path
) -> None:
    for suffix in (".json", ".safetensors"):
        (tmp_path / f"model{suffix}").write_bytes(checkpoint.with_suffix(suffix).read_bytes())
    model = ["--checkpoint", tmp_path / "model"]
    code, printed, complaints = run("calibrate", "--data", crowd / "validation", *model)
    assert (code, complaints) == (0, [])
    assert "12 pairs of one person and 84 of two; 4 people." in printed
    values = json.loads((tmp_path / "model.calibration.json").read_text())
    assert values["data"] == "partial_query in crowd/validation"
    assert values["method"] == "DSR multi-scale"
    assert values["options"]["beta"] == 0.4

    out = ["--out", tmp_path / "out", "--pictures", "1"]
    code, printed, complaints = run("evaluate", "--data", crowd, *model, *out)
    assert (code, complaints) == (0, [])
    assert "thresholds of the calibration, on these people" in printed
    assert (tmp_path / "out" / "reliability.png").stat().st_size > 10_000
    assert "Reliability" in (tmp_path / "out" / "report.html").read_text()
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())["methods"]
    assert "calibration" not in found["DSR single-scale"]
    calibrated = found["DSR multi-scale"]["calibration"]
    assert calibrated["thresholds"]["0.1"]["distance"] == dict(map(tuple, values["thresholds"]))[0.1]
    assert 0 <= calibrated["brier"] <= 1

    # It never judges itself, nor other options; named, that is an error, and beside the checkpoint a line.
    for data, options, reason in (
        (crowd / "validation", [], "it was made on this very gallery"),
        (crowd, ["--beta", "0.2"], "it is of the options"),
        (crowd, ["--methods", "resizing-model"], "it is of the method 'DSR multi-scale', which is not evaluated"),
    ):
        code, printed, complaints = run("evaluate", "--data", data, *model, *options)
        assert (code, len(complaints)) == (0, 1)
        assert f"model.calibration.json: not used: {reason}" in complaints[0]
        named = ["--calibration", tmp_path / "model.calibration.json"]
        code, _, complaints = run("evaluate", "--data", data, *model, *options, *named)
        assert (code, len(complaints)) == (2, 1)
        assert f"--calibration: {reason}" in complaints[0]


def test_nobody_calibrates_on_test_people(run: Run, crowd: Path, checkpoint: Path, tmp_path: Path) -> None:
    code, _, complaints = run("calibrate", "--data", crowd, "--checkpoint", checkpoint, "--out", tmp_path / "c.json")
    assert (code, len(complaints)) == (2, 1)
    assert f"choose its validation people: {crowd / 'validation'}" in complaints[0]
    code, _, complaints = run("calibrate", "--data", crowd / "validation", "--model", "dsr")
    assert (code, len(complaints)) == (2, 1)
    assert "--out: expected a file" in complaints[0]
    assert not (tmp_path / "c.json").exists()


def test_strangers_come_in_whole_groups(run: Run, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        run("synth", tmp_path / "people", "--strangers", "3")
