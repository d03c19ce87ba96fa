"""Descriptors for other people's code: images, tensors and files of any size in, vectors out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from reidops_models.checkpoint import Checkpoint
from reidops_models.data import ImageError, resize_image
from reidops_models.extractor import ExtractorError, FeatureExtractor
from reidops_models.paper import find_paper, paper_names
from reidops_models.recipe import load_recipe, parse_recipe


def checkpoint(model: str, **sections: object) -> Checkpoint:
    """A network of the packaged demo recipe, weights as initialised."""
    values = load_recipe({"stnreid": "stnreid/demo_reid"}.get(model, f"{model}/demo")).model_dump(mode="json")
    for section, changes in sections.items():
        values[section] |= changes
    recipe = parse_recipe(values)
    torch.manual_seed(0)
    return Checkpoint(find_paper(model).build_network(recipe, 4).eval(), recipe, 4)


HAVING = [name for name in paper_names() if find_paper(name).has_descriptors]


@pytest.mark.parametrize("model", HAVING)
def test_every_model_with_vectors(model: str) -> None:
    extract = FeatureExtractor(checkpoint(model), batch_size=2)
    images = torch.rand(5, 3, 128, 64)
    together = extract(images)
    assert together.shape[0] == 5
    assert together.dtype == torch.float32
    torch.testing.assert_close(extract(list(images)), together)
    torch.testing.assert_close(extract(images[3:4]), together[3:4], rtol=1e-3, atol=1e-4)
    assert extract([]).shape == (0, together.shape[1])


def test_descriptors_rank_as_the_papers_matcher_does() -> None:
    for model in HAVING:
        trained = checkpoint(model)
        descriptors = FeatureExtractor(trained)(torch.rand(7, 3, 128, 64, generator=torch.Generator().manual_seed(1)))
        images = list(torch.rand(7, 3, 128, 64, generator=torch.Generator().manual_seed(1)))
        matcher = next(one for one in trained.methods() if one.name in ("DPTI", "MGRe", "ReID module alone"))
        distances = matcher.distances(matcher.embed(images), matcher.embed(images))
        assert torch.cdist(descriptors, descriptors).argsort(dim=1)[:, 1:3].equal(distances.argsort(dim=1)[:, 1:3])


def test_unit_length_where_the_paper_compares_by_the_cosine() -> None:
    images = torch.rand(3, 3, 128, 64)
    cosine = FeatureExtractor(checkpoint("stnreid", matching={"metric": "cosine"}))(images)
    euclidean = FeatureExtractor(checkpoint("stnreid"))(images)
    torch.testing.assert_close(cosine, torch.nn.functional.normalize(euclidean, dim=1))
    torch.testing.assert_close(FeatureExtractor(checkpoint("dpti"))(images).norm(dim=1), torch.ones(3))


def test_files_and_tensors_of_any_size_mix(tmp_path: Path) -> None:
    Image.new("RGB", (30, 70), (10, 200, 30)).save(tmp_path / "green.png")
    extract = FeatureExtractor(checkpoint("dpti"))
    small = torch.rand(3, 40, 20)
    found = extract([tmp_path / "green.png", small, str(tmp_path / "green.png")])
    torch.testing.assert_close(found[0], found[2])
    torch.testing.assert_close(found[1], extract([resize_image(small, 128, 64)])[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_images_of_any_floating_type_are_the_same_images(dtype: torch.dtype) -> None:
    extract = FeatureExtractor("dpti")
    image = torch.randint(0, 256, (3, 96, 48)) / 256  # exact in all of them
    assert_close(extract([image.to(dtype)]), extract([image]), rtol=0, atol=0)


def test_shipped_checkpoints_by_name() -> None:
    assert FeatureExtractor("dpti").checkpoint.recipe.model == "dpti"
    assert FeatureExtractor("stnreid")(torch.rand(1, 3, 50, 20)).shape == (1, 192)


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    extract = FeatureExtractor(checkpoint("dpti"))
    for wrong in (
        torch.rand(1, 3, 8, 4),
        torch.rand(1, 8, 4),
        torch.zeros(3, 8, 4, dtype=torch.uint8),
        torch.rand(3, 0, 4),
    ):
        with pytest.raises(ExtractorError, match=r"images: expected float \(3, H, W\) in \[0, 1\], got torch"):
            extract([wrong])
    with pytest.raises(ImageError, match="no such file"):
        extract([tmp_path / "none.png"])


@pytest.mark.parametrize("model", ["csn", "dsr"])
def test_models_without_vectors_are_refused(model: str) -> None:
    with pytest.raises(
        ExtractorError, match=f"{model} has no vector of an image; these models have: dpti, mgre, stnreid"
    ):
        FeatureExtractor(model)
