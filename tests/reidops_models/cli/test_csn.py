"""What the report shows of CSN; every_paper/ has what the commands do for all papers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidops_models.checkpoint import Checkpoint, save_checkpoint
from reidops_models.paper import find_paper
from reidops_models.recipe import load_recipe, parse_recipe

from .conftest import Run, rows


@pytest.fixture(scope="module")
def csn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small network, weights as initialised."""
    values = load_recipe("csn/demo").model_dump(mode="json")
    values["network"]["channels"] = [8, 16]
    recipe = parse_recipe(values)
    torch.manual_seed(0)
    network = find_paper("csn").build_network(recipe, 4)
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model", Checkpoint(network, recipe, 4))


def test_match(run: Run, people: Path, csn: Path, tmp_path: Path) -> None:
    code, printed, complaints = run(
        "match", "--probe", people / "query", "--gallery", people / "bounding_box_test",
        "--checkpoint", csn, "--model", "csn", "--out", tmp_path / "out", "--pictures", 2,
    )  # fmt: skip
    assert (code, complaints) == (0, [])
    assert "rank-1" in printed
    html = (tmp_path / "out" / "report.html").read_text()
    assert html.count("where in the gallery image the parts of the probe were found") == 2
    assert html.count("one person: ") == 2
    assert html.count("probe, level 3") == 2
    assert len(rows(tmp_path / "out")) == len(list((people / "query").iterdir())) * 12
