"""`reidops train --start`: fine-tuning from the command line."""

from __future__ import annotations

import re
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


TINY = ["images.size=[64,32]", "batches.size=8", "training.accelerator=cpu"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_options_are_set_and_a_trained_model_is_not_overwritten_unasked(run: Run, people: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["train", "--recipe", "dsr/demo", "--data", people, "--out", out, "--set", *TINY]
    code, printed, _ = run(*command, "training.epochs=2", "--set", "losses.0.weight=0.5", "--seed", 3)
    assert code == 0
    recipe = load_checkpoint(out / "model").recipe
    assert (recipe.training.epochs, recipe.training.seed, recipe.losses[0].weight) == (2, 3, 0.5)
    lines = [line for line in printed.splitlines() if line.startswith("epoch ")]  # stdout is no terminal
    assert len(lines) == 2
    assert re.fullmatch(
        r"epoch 2 of 2: loss \d+\.\d{4}, accuracy \d+\.\d %, \d+\.\d s, 0 s left, "
        r"validation rank-1 \d+\.\d, mAP \d+\.\d, the best so far",
        lines[1],
    )

    before = contents(out)
    code, _, complaints = run(*command, "training.epochs=1")
    assert code == 2
    assert complaints == [
        f"reidops: {out}: holds a trained model (model.safetensors): resume it (--resume) or overwrite it (--overwrite)"
    ]
    assert contents(out) == before
    code, _, _ = run(*command, "training.epochs=1", "validation.every=0", "--overwrite")
    assert code == 0
    assert load_checkpoint(out / "model").recipe.training.epochs == 1
    assert not (out / "best.safetensors").exists()  # it was of the model that is gone


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ("training.epoch=3", "training.epoch=3: unknown key"),
        ("training.epochs=many", "training.epochs=many: Input should be a valid integer, got 'many'"),
        ("training.epochs", "training.epochs: expected KEY=VALUE, such as training.epochs=2"),
    ],
)
def test_a_wrong_item_of_set_is_named(run: Run, people: Path, tmp_path: Path, item: str, complaint: str) -> None:
    code, _, complaints = run("train", "--recipe", "dsr/demo", "--set", item, "--data", people, "--out", tmp_path / "o")
    assert (code, complaints) == (2, [f"reidops: {complaint}"])
    assert not (tmp_path / "o").exists()
