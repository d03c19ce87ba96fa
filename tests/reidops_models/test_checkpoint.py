"""Checkpoints come back as they were, and say in one line why they do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from reidops_models.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint, shipped_checkpoint
from reidops_models.paper import find_paper
from reidops_models.recipe import load_recipe

IMAGES = torch.rand(2, 3, 64, 32)


@pytest.fixture
def checkpoint() -> Checkpoint:
    recipe = load_recipe("dsr/demo")
    return Checkpoint(find_paper("dsr").build_network(recipe, 5).eval(), recipe, 5, {"dataset": "none"})


@pytest.mark.parametrize("name", ["model", "model.json", "model.safetensors", "epoch.12"])
def test_a_checkpoint_comes_back_by_either_file_or_their_common_name(
    tmp_path: Path, checkpoint: Checkpoint, name: str
) -> None:
    save_checkpoint(tmp_path / name, checkpoint)
    loaded = load_checkpoint(tmp_path / name, model="dsr")
    assert (loaded.recipe, loaded.identities, loaded.notes) == (checkpoint.recipe, 5, {"dataset": "none"})
    assert not loaded.network.training
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network(IMAGES), checkpoint.network(IMAGES), rtol=0, atol=0)


def test_half_precision_halves_the_file_and_loads_as_float32(tmp_path: Path, checkpoint: Checkpoint) -> None:
    full = save_checkpoint(tmp_path / "full", checkpoint)
    half = save_checkpoint(tmp_path / "half", checkpoint, dtype=torch.float16)
    assert half.stat().st_size < 0.52 * full.stat().st_size
    loaded = load_checkpoint(half)
    assert {value.dtype for value in loaded.network.parameters()} == {torch.float32}
    with torch.inference_mode():
        torch.testing.assert_close(loaded.network(IMAGES), checkpoint.network(IMAGES), rtol=0, atol=5e-3)


def test_weights_too_large_for_half_precision_are_refused(tmp_path: Path, checkpoint: Checkpoint) -> None:
    checkpoint.network.get_buffer("backbone.bn1.running_var").fill_(1e5)
    with pytest.raises(CheckpointError, match=r"backbone.bn1.running_var: its values are too large for torch.float16"):
        save_checkpoint(tmp_path / "half", checkpoint, dtype=torch.float16)
    assert not (tmp_path / "half.safetensors").exists()


def test_matchers_are_the_papers_rows(checkpoint: Checkpoint) -> None:
    names = [matcher.name for matcher in checkpoint.methods(gallery_sizes=[(128, 64)])]
    assert names == ["Resizing model", "DSR single-scale", "DSR multi-scale"]


def test_the_rows_of_a_table_end_with_the_papers_method() -> None:
    checkpoint = load_checkpoint(shipped_checkpoint("stnreid"))
    rows = [matcher.name for matcher in checkpoint.matchers(rivals=True)]
    assert rows == [matcher.name for matcher in (*checkpoint.rivals(), *checkpoint.methods())]
    assert rows[-1] == checkpoint.methods().main.name
    assert [matcher.name for matcher in checkpoint.matchers()] == rows[len(checkpoint.rivals()) :]


def test_missing_and_damaged_files(tmp_path: Path, checkpoint: Checkpoint) -> None:
    with pytest.raises(CheckpointError, match=r"no file .*none\.json"):
        load_checkpoint(tmp_path / "none")
    weights = save_checkpoint(tmp_path / "model", checkpoint)
    description = weights.with_suffix(".json")
    good = description.read_text()
    values = json.loads(good)
    wrong = ({"model": ["dsr"]}, {"identities": "5"}, {"identities": True})
    for text in ("{", "[]", "{}", *(json.dumps(values | change) for change in wrong)):
        description.write_text(text)
        with pytest.raises(CheckpointError, match="not a checkpoint"):
            load_checkpoint(weights)
    description.write_text(good)
    weights.write_bytes(b"not safetensors")
    with pytest.raises(CheckpointError, match="not a checkpoint"):
        load_checkpoint(weights)


def test_a_checkpoint_of_another_model_names_both(tmp_path: Path, checkpoint: Checkpoint) -> None:
    weights = save_checkpoint(tmp_path / "model", checkpoint)
    with pytest.raises(CheckpointError, match="a checkpoint of 'dsr', expected one of 'stnreid'"):
        load_checkpoint(weights, model="stnreid")
    description = weights.with_suffix(".json")
    description.write_text(json.dumps({**json.loads(description.read_text()), "model": "other"}))
    with pytest.raises(CheckpointError, match="a checkpoint of 'other', expected one of 'dsr'"):
        load_checkpoint(weights, model="dsr")
    with pytest.raises(CheckpointError, match="a checkpoint of 'other', known models: csn, dpti, dsr"):
        load_checkpoint(weights)
    description.write_text(json.dumps({"model": "other"}))  # whatever else the other model keeps
    with pytest.raises(CheckpointError, match="a checkpoint of 'other', known models: csn, dpti, dsr"):
        load_checkpoint(weights)


def test_weights_that_do_not_fit_are_named(tmp_path: Path, checkpoint: Checkpoint) -> None:
    weights = save_checkpoint(tmp_path / "model", checkpoint)
    state = load_file(weights)
    del state["backbone.bn1.weight"]
    state["extra"] = torch.zeros(1)
    state["classifier.bias"] = torch.zeros(6)
    save_file(state, weights)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(weights)
    message = str(caught.value)
    for complaint in (
        "missing: backbone.bn1.weight",
        "unexpected: extra",
        "classifier.bias (6,) instead of (5,)",
    ):
        assert complaint in message


def test_the_shipped_checkpoint_is_small_and_loads() -> None:
    path = shipped_checkpoint("dsr")
    assert path.stat().st_size <= 2_000_000
    checkpoint = load_checkpoint(path, model="dsr")
    assert checkpoint.recipe == load_recipe("dsr/demo")


def test_the_identity_follows_the_weights(tmp_path: Path, checkpoint: Checkpoint) -> None:
    save_checkpoint(tmp_path / "model", checkpoint)
    assert load_checkpoint(tmp_path / "model").identity == checkpoint.identity
    assert checkpoint.identity.startswith("dsr-")
    other = load_checkpoint(tmp_path / "model")
    with torch.no_grad():
        next(other.network.parameters()).view(-1)[0] += 1e-3
    assert other.identity != checkpoint.identity
