"""`reidops index`, `search` and `gallery`: from a folder to a gallery, and what it answers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from reidops_models.checkpoint import load_checkpoint
from reidops_models.cli import main
from reidops_models.data import list_images
from reidops_models.evaluation import Calibration, calibrate, evaluate_verification

from .conftest import Run, rows


@pytest.fixture
def gallery(run: Run, people: Path, checkpoint: Path, tmp_path: Path) -> Path:
    """A gallery of the tiny benchmark's, in float32."""
    path = tmp_path / "people.lance"
    words = ["index", people / "bounding_box_test", "--out", path, "--checkpoint", checkpoint, "--dtype", "float32"]
    assert run(*words) == (0, f"{path}: 12 images (12 new, 0 changed, 0 as they were)\n", [])
    return path


def test_search_writes_the_files_of_match(
    run: Run, people: Path, checkpoint: Path, gallery: Path, tmp_path: Path
) -> None:
    probes = people / "partial_query"
    shared = ["--probe", probes, "--checkpoint", checkpoint, "--top", 7, "--pictures", 2]
    code, printed, complaints = run("search", "--gallery", gallery, *shared, "--out", tmp_path / "search")
    assert (code, complaints) == (0, [])
    assert run("match", "--gallery", people / "bounding_box_test", *shared, "--out", tmp_path / "match")[0] == 0
    assert rows(tmp_path / "search") == rows(tmp_path / "match")
    found, expected = (json.loads((tmp_path / name / "matches.json").read_text()) for name in ("search", "match"))
    assert found == expected
    assert printed.splitlines()[-1] == f"written: {tmp_path / 'search' / 'matches.csv'}, matches.json, report.html"
    page = (tmp_path / "search" / "report.html").read_text()
    assert page.count("<section") == 2
    assert page.count('class="drawing"') == 2
    assert "partial_query in people.lance" in page


def test_the_options_of_matching_are_those_of_match(
    run: Run, people: Path, checkpoint: Path, gallery: Path, tmp_path: Path
) -> None:
    shared = ["--probe", people / "partial_query", "--checkpoint", checkpoint, "--beta", 0.1, "--scales", "1"]
    assert run("search", "--gallery", gallery, *shared, "--out", tmp_path / "search")[0] == 0
    assert run("match", "--gallery", people / "bounding_box_test", *shared, "--out", tmp_path / "match")[0] == 0
    assert rows(tmp_path / "search") == rows(tmp_path / "match")


def test_an_image_whose_file_is_gone_is_found_and_the_report_says_so(
    run: Run, people: Path, checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "people"
    shutil.copytree(people / "query", folder)
    gallery = tmp_path / "people.lance"
    assert run("index", folder, "--out", gallery, "--checkpoint", checkpoint)[0] == 0
    probe, gone = list_images(folder)[:2]
    shutil.copy(probe, tmp_path / "probe.jpg")
    gone.unlink()
    words = ["search", "--gallery", gallery, "--probe", tmp_path / "probe.jpg", "--checkpoint", checkpoint]
    assert run(*words, "--out", tmp_path / "out")[0] == 0
    assert rows(tmp_path / "out")[0]["gallery"] == probe.name
    assert len(rows(tmp_path / "out")) == len(list_images(people / "query"))
    probe.unlink()
    assert run(*words, "--top", 3, "--out", tmp_path / "out")[0] == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("its file cannot be read any more</p>") >= 1
    assert f"{probe.name}" in page
    assert "no match with it is explained" in page
    assert 'class="drawing"' not in page  # the best match is the one that is gone


def test_index_goes_on_and_names_what_it_leaves_out(run: Run, people: Path, checkpoint: Path, tmp_path: Path) -> None:
    folder, gallery = tmp_path / "people", tmp_path / "people.lance"
    folder.mkdir()
    paths = list_images(people / "query")
    for path in paths[:3]:
        shutil.copy2(path, folder)
    assert run("index", folder, "--out", gallery, "--checkpoint", checkpoint)[0] == 0
    (folder / "bad.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("notes")
    shutil.copy2(paths[3], folder)
    shutil.copy(paths[4], folder / paths[0].name)
    code, printed, complaints = run("index", folder, "--out", gallery, "--checkpoint", checkpoint)
    assert code == 1
    assert printed == f"{gallery}: 4 images (1 new, 1 changed, 2 as they were, 1 left out)\n"
    assert complaints == [
        f"reidops: {folder}: passed over, no images by their names: notes.txt",
        f"reidops: {folder / 'bad.jpg'}: not an image in a format that Pillow reads",
    ]


def test_a_shipped_checkpoint_needs_no_name_again(run: Run, people: Path, tmp_path: Path) -> None:
    gallery, paths = tmp_path / "people.lance", list_images(people / "query")
    assert run("index", *paths[:2], "--out", gallery, "--model", "dpti")[0] == 0
    assert run("index", paths[2], "--out", gallery)[1] == f"{gallery}: 3 images (1 new, 0 changed, 0 as they were)\n"
    code, printed, _ = run("search", "--gallery", gallery, "--probe", paths[0])
    assert code == 0
    assert paths[0].name in printed


@pytest.mark.parametrize("command", ["index", "search"])
def test_another_checkpoint_is_refused_in_one_line(
    command: str, run: Run, people: Path, checkpoint: Path, gallery: Path
) -> None:
    query = people / "query"
    words = [command, *([query, "--out", gallery] if command == "index" else ["--gallery", gallery, "--probe", query])]
    ours = load_checkpoint(checkpoint).identity
    code, printed, (line,) = run(*words, "--model", "csn")
    assert (code, printed) == (2, "")
    assert line.startswith(f"reidops: {gallery}: of another checkpoint, {ours}; the one given is csn-")
    code, printed, (line,) = run(*words)
    assert (code, printed) == (2, "")
    assert line == f"reidops: {gallery}: needs its checkpoint, {ours}, which is not the shipped one of dsr"


def test_what_is_no_gallery_or_empty_is_one_line(run: Run, people: Path, checkpoint: Path, tmp_path: Path) -> None:
    shared = ["--probe", people / "query", "--checkpoint", checkpoint]
    code, _, lines = run("search", "--gallery", tmp_path / "nowhere.lance", *shared)
    assert (code, lines) == (2, [f"reidops: {tmp_path / 'nowhere.lance'}: no such gallery"])
    code, _, lines = run("search", "--gallery", people, *shared)
    assert (code, lines) == (2, [f"reidops: {people}: not a gallery"])
    code, _, lines = run("index", people / "query", "--out", people, "--checkpoint", checkpoint)
    assert (code, lines) == (2, [f"reidops: {people}: not a gallery"])
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"")
    code, printed, lines = run("index", bad, "--out", tmp_path / "empty.lance", "--checkpoint", checkpoint)
    assert (code, printed) == (
        1,
        f"{tmp_path / 'empty.lance'}: 0 images (0 new, 0 changed, 0 as they were, 1 left out)\n",
    )
    code, _, lines = run("search", "--gallery", tmp_path / "empty.lance", *shared)
    assert (code, lines) == (2, [f"reidops: {tmp_path / 'empty.lance'}: has no pictures"])


def test_a_missing_package_names_its_extra(run: Run, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("reidops_models.gallery")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lance", None)
    code, _, lines = run("search", "--gallery", "people.lance", "--probe", people / "query")
    assert (code, lines) == (2, ["reidops: the package 'lance' is missing: pip install 'reidops[gallery]'"])


def test_gallery_info_check_remove_and_compact(
    run: Run, people: Path, checkpoint: Path, gallery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, printed, _ = run("gallery", "info", gallery)
    assert code == 0
    facts = {line[:17].strip(): line[17:] for line in printed.splitlines()}
    assert facts["images"] == "12"
    assert facts["checkpoint"] == load_checkpoint(checkpoint).identity
    assert facts["kept"] == "map 192x8x4 float32: 24.0 KiB an image"
    assert facts["calibration"] == "none"
    first = list_images(people / "bounding_box_test")[0]
    assert run("gallery", "check", gallery)[:2] == (0, f"{gallery}: 12 images, nothing is damaged\n")
    assert run("gallery", "remove", gallery, first)[:2] == (0, f"{gallery}: 11 images (1 removed)\n")
    assert run("gallery", "remove", gallery, first) == (2, "", [f"reidops: {gallery}: no picture {first}"])
    code, printed, _ = run("gallery", "compact", gallery)
    assert code == 0
    assert printed.startswith(f"{gallery}: 1 files of 1; ")
    (file,) = (gallery / "data").iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    code, printed, (line,) = run("gallery", "check", gallery)
    assert (code, printed) == (1, f"{gallery}: 11 images, 1 damaged\n")
    assert line.startswith(f"reidops: {file}: damaged: ")


def calibration(checkpoint: Path, method: str = "DSR multi-scale") -> Calibration:
    """Distances of 0.2 and less are of one person; 200 wrong pairs reach from 0.1 to 1."""
    distances = np.concatenate([np.linspace(0.02, 0.2, 20), np.linspace(0.1, 1, 200)])[None]
    pairs = evaluate_verification(distances, [1], [1] * 20 + [2] * 200)
    loaded = load_checkpoint(checkpoint)
    return calibrate(
        pairs,
        method=method,
        data="drawn people",
        checkpoint=loaded.identity,
        options={"beta": 0.4, "scales": [1, 2, 3]},
    )


def test_a_calibrated_gallery_knows_the_distance_at_a_rate(
    run: Run, people: Path, checkpoint: Path, gallery: Path, tmp_path: Path
) -> None:
    made = calibration(checkpoint)
    file = made.save(tmp_path / "calibration.json")
    search = ["search", "--gallery", gallery, "--probe", people / "query", "--checkpoint", checkpoint, "--top", 1]
    code, _, lines = run(*search, "--threshold", "fpr=0.1")
    assert (code, lines) == (
        2,
        [f"reidops: {gallery}: has no calibration, so a false positive rate has no threshold"],
    )
    assert run("gallery", "calibrate", gallery, file)[:2] == (0, f"{gallery}: calibrated by {file}\n")
    assert run(*search, "--threshold", "fpr=0.1", "--out", tmp_path / "out")[0] == 0
    facts = json.loads((tmp_path / "out" / "matches.json").read_text())
    assert facts["threshold"] == made.threshold_of(0.1)
    answers = [(float(row["distance"]) <= facts["threshold"], row["answer"]) for row in rows(tmp_path / "out")]
    assert set(answers) <= {(True, "known"), (False, "unknown")}
    assert facts["probes unknown"] == sum(answer == "unknown" for _, answer in answers)
    code, _, lines = run(*search, "--threshold", "fpr=0.1", "--beta", 0.2)
    assert (code, lines) == (
        2,
        [f"reidops: {gallery}: its calibration was made with beta 0.4, so it does not hold for this search"],
    )
    code, _, (line,) = run(*search, "--threshold", "fpr=1e-5")
    assert (code, line.startswith("reidops: fpr: 1e-05 cannot be told from 200 wrong pairs")) == (2, True)


def test_a_calibration_of_another_method_is_refused(run: Run, checkpoint: Path, gallery: Path, tmp_path: Path) -> None:
    file = calibration(checkpoint, "DSR single-scale").save(tmp_path / "calibration.json")
    code, _, (line,) = run("gallery", "calibrate", gallery, file)
    assert code == 2
    assert line.startswith(f"reidops: {gallery}: expected a calibration of dsr-")
    assert line.endswith(" by DSR single-scale")


@pytest.mark.parametrize("text", ["fpr=0", "fpr=1", "fpr=x", "far", "nan"])
def test_a_threshold_is_a_distance_or_a_rate(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["search", "--gallery", "x", "--probe", "y", "--threshold", text])
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("reidops search: error: argument --threshold: expected a ")


def test_a_gallery_in_half_the_bits_answers_as_match_in_half_the_bits(
    run: Run, people: Path, checkpoint: Path, tmp_path: Path
) -> None:
    gallery, folder = tmp_path / "people.lance", people / "bounding_box_test"
    assert run("index", folder, "--out", gallery, "--checkpoint", checkpoint)[0] == 0
    shared = ["--probe", people / "query", "--checkpoint", checkpoint, "--half"]
    assert run("search", "--gallery", gallery, *shared, "--out", tmp_path / "search")[0] == 0
    assert run("match", "--gallery", folder, *shared, "--out", tmp_path / "match")[0] == 0
    assert rows(tmp_path / "search") == rows(tmp_path / "match")


def test_a_device_that_is_not_there_is_one_line(run: Run, people: Path, gallery: Path) -> None:
    words = ["search", "--gallery", gallery, "--probe", people / "query", "--device", "cuda:7"]
    code, _, (line,) = run(*words, "--model", "dsr")
    assert (code, line.startswith("reidops: --device: no cuda:7 on this machine")) == (2, True)
