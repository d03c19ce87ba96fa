"""Each picture is decoded once, whatever is done with it; what cannot be decoded costs nothing else."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageFile

from reidops_models.checkpoint import load_checkpoint
from reidops_models.data import ImageError, list_images, load_market1501
from reidops_models.extractor import FeatureExtractor
from reidops_models.matching.histogram import HistogramMatcher
from reidops_models.retrieval import Problems, SearchError, evaluate, search
from reidops_models.retrieval.images import find_images
from reidops_models.retrieval.model import find_model
from reidops_models.retrieval.reading import embed_gallery

from ..conftest import Run


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was decoded: what Pillow prepares before it draws pixels."""
    counted: Counter[str] = Counter()
    prepare = ImageFile.ImageFile.load_prepare

    def count(image: Any) -> None:
        counted[str(image.filename)] += 1
        prepare(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", count)
    return counted


def once(*folders: Path) -> dict[str, int]:
    return {str(path): 1 for folder in folders for path in list_images(folder)}


@pytest.mark.parametrize("workers", [0, 3])
def test_a_search_decodes_each_picture_once(
    people: Path, checkpoint: Path, decoded: Counter[str], workers: int
) -> None:
    probes, gallery = people / "query", people / "bounding_box_test"
    found = search(probes, gallery, checkpoint, workers=workers)
    assert decoded == once(probes, gallery)
    assert [ranked.matches for ranked in found] == [ranked.matches for ranked in search(probes, gallery, checkpoint)]


def test_the_commands_do_too(run: Run, people: Path, checkpoint: Path, decoded: Counter[str], tmp_path: Path) -> None:
    probes, gallery = people / "partial_query", people / "bounding_box_test"
    words = ["--probe", probes, "--gallery", gallery, "--checkpoint", checkpoint, "--pictures", 0, "--workers", 2]
    assert run("match", *words, "--out", tmp_path / "matches")[0] == 0
    assert decoded == once(probes, gallery)
    decoded.clear()
    assert run("embed", "--images", gallery, "--out", tmp_path / "vectors", "--workers", 2)[0] == 0
    assert decoded == once(gallery)
    decoded.clear()
    FeatureExtractor("dpti", workers=2)(list_images(gallery))
    assert decoded == once(gallery)


def test_what_breaks_off_behind_its_header_is_named_and_left_out(
    run: Run, people: Path, checkpoint: Path, tmp_path: Path
) -> None:
    probes, gallery = tmp_path / "probes", tmp_path / "gallery"
    shutil.copytree(people / "query", probes)
    shutil.copytree(people / "bounding_box_test", gallery)
    expected = search(probes, gallery, checkpoint)
    Image.effect_noise((300, 999), 50).save(tmp_path / "tall.jpg")  # which would change the scale of the probes
    half = (tmp_path / "tall.jpg").read_bytes()[:20000]
    broken = [probes / "0000_c1s1_000000_00.jpg", gallery / "0000_c1s1_000000_00.jpg", gallery / "z.jpg"]
    for path in broken:
        path.write_bytes(half)
    found = search(probes, gallery, checkpoint)
    assert sorted(problem.image for problem in found.problems) == sorted(map(str, broken))
    assert all("damaged or truncated" in problem.message for problem in found.problems)
    assert found.gallery == expected.gallery
    assert found.ranked == expected.ranked
    code, _, complaints = run("embed", "--images", gallery, "--out", tmp_path / "vectors")
    assert code == 1
    assert [line.partition(": ")[2].partition(":")[0] for line in complaints] == [str(path) for path in broken[1:]]
    names = [line.split(",")[1] for line in (tmp_path / "vectors" / "index.csv").read_text().splitlines()[1:]]
    assert names == [image.name for image in expected.gallery]


def test_a_gallery_of_broken_files_is_an_error(run: Run, people: Path, tmp_path: Path) -> None:
    whole = list_images(people / "query")[0].read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SearchError, match=r"^gallery: not one image in it can be read$"):
        search(people / "query", tmp_path)
    code, _, complaints = run("match", "--probe", people / "query", "--gallery", tmp_path)
    assert code == 2
    assert complaints[-1] == "reidops: --gallery: not one image in it can be read"
    code, _, complaints = run("embed", "--images", tmp_path, "--out", tmp_path / "out")
    assert code == 2
    assert complaints[-1] == f"reidops: {tmp_path}: not one image in it can be read"


def test_the_matcher_is_built_anew_where_sizes_were_not_as_supposed(people: Path) -> None:
    problems, built = Problems(), []
    gallery = find_images([people / "query", torch.rand(3, 9, 4)], problems)

    def build(sizes: list[tuple[int, int]]) -> HistogramMatcher:
        built.append(sizes)
        return HistogramMatcher()

    embedded = embed_gallery(build, gallery, problems)
    assert len(built) == 1
    assert [image.size for image in embedded.images] == built[0]
    assert len(embedded.features) == len(gallery)


def test_every_bar_has_an_end(
    people: Path, checkpoint: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TQDM_MININTERVAL", "0")
    probes, gallery = people / "query", people / "bounding_box_test"
    search(probes, gallery, checkpoint, progress=True)
    said = capfd.readouterr().err
    for name, folder in (("gallery", gallery), ("probes", probes)):
        assert f"{name}:   0%" in said
        assert f"/{len(list_images(folder))} [" in said
    assert "pair" in said
    FeatureExtractor("dpti")(list_images(gallery), progress=True)
    images = list(torch.rand(5, 3, 64, 32))
    for model in ("dsr", "dpti", "csn", "stnreid", "mgre"):
        matcher = find_model(model).methods().main
        matcher.embed(images, progress=True)
        assert "| 0/5 [" in capfd.readouterr().err, model
    assert "it [" not in said


def test_an_evaluation_reads_headers_first_and_names_the_file_that_breaks_off(
    people: Path, checkpoint: Path, decoded: Counter[str], tmp_path: Path
) -> None:
    probes, gallery = people / "query", people / "bounding_box_test"
    methods = ["dsr-single-scale", "dsr-multi-scale"]  # of one embedding
    evaluate(checkpoint, load_market1501(people), probes="query", methods=methods, workers=2)
    assert decoded == once(probes, gallery)
    shutil.copytree(people, tmp_path / "people")
    path = list_images(tmp_path / "people" / "bounding_box_test")[3]
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(ImageError, match=rf"^{path}: damaged or truncated"):
        evaluate(checkpoint, load_market1501(tmp_path / "people"), probes="query", methods=methods)


def test_a_gallery_decodes_each_picture_once(
    people: Path, checkpoint: Path, decoded: Counter[str], tmp_path: Path
) -> None:
    pytest.importorskip("lance")
    from reidops_models.gallery import Gallery

    gallery = Gallery.build(tmp_path / "people.lance", people / "bounding_box_test", load_checkpoint(checkpoint))
    assert decoded == once(people / "bounding_box_test")
    decoded.clear()
    gallery.add(people / "bounding_box_test")
    assert not decoded  # nothing has changed
    gallery.search(people / "query")
    assert decoded == once(people / "query")
