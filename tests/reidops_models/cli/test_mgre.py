"""What the commands do for MGRe alone; every_paper/ has what they do for all papers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidops_models.checkpoint import Checkpoint, save_checkpoint
from reidops_models.paper import find_paper
from reidops_models.recipe import load_recipe, parse_recipe

from .conftest import Run


@pytest.fixture(scope="module")
def mgre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small network, weights as initialised."""
    values = load_recipe("mgre/demo").model_dump(mode="json")
    values["network"] |= {"dimensions": 16, "location_width": 8}
    recipe = parse_recipe(values)
    torch.manual_seed(0)
    network = find_paper("mgre").build_network(recipe, 4)
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model", Checkpoint(network, recipe, 4))


def test_match(run: Run, people: Path, mgre: Path, tmp_path: Path) -> None:
    code, printed, complaints = run(
        "match", "--probe", people / "query", "--gallery", people / "bounding_box_test",
        "--checkpoint", mgre, "--model", "mgre", "--out", tmp_path / "out", "--pictures", 2,
    )  # fmt: skip
    assert (code, complaints) == (0, [])
    assert "rank-1" in printed
    html = (tmp_path / "out" / "report.html").read_text()
    assert html.count("where the regions of a body were located") == 2
    assert html.count('<rect class="region"') == 2 * 2 * 7


def test_training_without_joints_is_one_line(run: Run, people: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    recipe = (find_paper("mgre").folder / "recipes" / "demo.yaml").read_text()
    mine.write_text("keypoints: none.json\n" + recipe.replace("size: 64", "size: 8"))
    code, _, complaints = run("train", "--recipe", mine, "--data", people, "--out", tmp_path / "out")
    assert code == 2
    assert len(complaints) == 1
    assert "keypoints: no none.json above" in complaints[0]
