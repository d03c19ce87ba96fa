"""`reidops train --start`: fine-tuning from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from reidops_models.checkpoint import load_checkpoint

from .conftest import Run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """The demo's fine-tuning, of a few pairs."""
    path = tmp_path / "mine.yaml"
    path.write_text("extends: dsr/demo_finetune\nfine_tuning: {positive_pairs: 64, negative_pairs: 64}\n")
    return path


def test_fine_tuning_goes_on_from_a_checkpoint(
    run: Run, people: Path, checkpoint: Path, recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, printed, complaints = run("train", "--recipe", recipe, "--data", people, "--start", checkpoint, "--out", out)
    assert code == 0
    assert complaints == []
    assert printed.endswith(f"written: {out / 'model.safetensors'}\n")
    assert load_checkpoint(out / "model").notes["start"] == "model"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "start: a fine-tuning needs a checkpoint to start from (reidops train --start FILE)"),
        (["--start", "nothing"], "nothing: no file nothing.json"),
    ],
)
def test_fine_tuning_says_what_it_cannot_do(
    run: Run, people: Path, recipe: Path, tmp_path: Path, options: list[str], expected: str
) -> None:
    code, _, complaints = run("train", "--recipe", recipe, "--data", people, "--out", tmp_path / "out", *options)
    assert code == 2
    assert complaints == [f"reidops: {expected}"]
