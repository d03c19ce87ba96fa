"""What the report shows of DPTI, and what `embed` writes; every_paper/ has what the commands do for all papers."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from reidops_models.checkpoint import Checkpoint, save_checkpoint
from reidops_models.data import list_images
from reidops_models.extractor import FeatureExtractor
from reidops_models.paper import find_paper
from reidops_models.recipe import load_recipe, parse_recipe

from .conftest import Run, rows


@pytest.fixture(scope="module")
def dpti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small network, weights as initialised."""
    values = load_recipe("dpti/demo").model_dump(mode="json")
    values["network"] |= {"dimensions": 16, "feed_forward": 32, "weighting": True}
    recipe = parse_recipe(values)
    torch.manual_seed(0)
    network = find_paper("dpti").build_network(recipe, 4)
    return save_checkpoint(tmp_path_factory.mktemp("checkpoint") / "model", Checkpoint(network, recipe, 4))


def test_match(run: Run, people: Path, dpti: Path, tmp_path: Path) -> None:
    code, printed, complaints = run(
        "match", "--probe", people / "occluded_query", "--gallery", people / "bounding_box_test",
        "--checkpoint", dpti, "--model", "dpti", "--out", tmp_path / "out", "--pictures", 2,
    )  # fmt: skip
    assert (code, complaints) == (0, [])
    assert "rank-1" in printed
    html = (tmp_path / "out" / "report.html").read_text()
    assert html.count("where each part was looked for") == 2
    assert html.count("believed hidden (a quarter less weight than in rank 1)") == 2
    assert html.count(">part 8<") == 4  # under the probe and under the gallery image
    assert len(rows(tmp_path / "out")) == 24 * 12


def test_embed_writes_a_row_a_image(run: Run, people: Path, dpti: Path, tmp_path: Path) -> None:
    code, printed, complaints = run(
        "embed", "--images", people / "query", "--checkpoint", dpti, "--out", tmp_path / "out"
    )
    assert (code, complaints) == (0, [])
    descriptors = load_file(tmp_path / "out" / "descriptors.safetensors")["descriptors"]
    with (tmp_path / "out" / "index.csv").open(newline="") as file:
        index = list(csv.DictReader(file))
    images = list_images(people / "query")
    assert descriptors.shape == (len(images), 9 * 16)
    assert f"({len(images)} x 144)" in printed
    assert [row["picture"] for row in index] == [path.name for path in images]
    assert [int(row["row"]) for row in index] == list(range(len(images)))
    assert {row["pid"] for row in index} == {str(int(path.name[:4])) for path in images}
    expected = FeatureExtractor(dpti)(images)
    torch.testing.assert_close(descriptors, expected)


def test_embed_goes_on_where_a_image_is_broken(run: Run, dpti: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "broken.jpg").write_bytes(b"no image")
    Image.new("RGB", (30, 60), (200, 10, 10)).save(folder / "red.png")
    code, _, complaints = run("embed", "--images", folder, "--checkpoint", dpti, "--out", tmp_path / "out")
    assert code == 1
    assert len(complaints) == 1
    assert "broken.jpg" in complaints[0]
    assert len(load_file(tmp_path / "out" / "descriptors.safetensors")["descriptors"]) == 1
    assert (tmp_path / "out" / "index.csv").read_text().splitlines()[1] == "0,red.png,,"


def test_embed_says_which_models_have_vectors(run: Run, people: Path, checkpoint: Path, tmp_path: Path) -> None:
    code, _, complaints = run(
        "embed", "--images", people / "query", "--checkpoint", checkpoint, "--out", tmp_path / "out"
    )
    assert code == 2
    assert complaints == [
        f"reidops: --checkpoint {checkpoint}: dsr has no vector of an image; these models have: dpti, mgre, stnreid"
    ]
    assert not (tmp_path / "out").exists()


def test_embed_takes_the_shipped_dpti_by_default(run: Run, people: Path, tmp_path: Path) -> None:
    probe = sorted((people / "occluded_query").iterdir())[0]
    code, _, complaints = run("embed", "--images", probe, "--out", tmp_path)
    assert (code, complaints) == (0, [])
    assert load_file(tmp_path / "descriptors.safetensors")["descriptors"].shape == (1, 576)
