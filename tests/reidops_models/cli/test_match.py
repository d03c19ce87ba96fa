"""`reidops match`: what it writes, and every way in which its input can be wrong."""

from __future__ import annotations

import json
import math
import os
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from reidops_models.cli import build_parser
from reidops_models.data import list_images
from reidops_models.matching.histogram import HistogramMatcher

from .conftest import Run, rows


@pytest.fixture
def nested(people: Path, tmp_path: Path) -> Path:
    """Two good probes in two folders."""
    for name, folder in (("0009", "a"), ("0010", "b/c")):
        (tmp_path / "probes" / folder).mkdir(parents=True)
        source = sorted((people / "partial_query").glob(f"{name}_*"))[0]
        shutil.copy(source, tmp_path / "probes" / folder)
    return tmp_path / "probes"


def test_ranks_a_folder(run: Run, people: Path, checkpoint: Path, nested: Path, tmp_path: Path) -> None:
    gallery, out = people / "bounding_box_test", tmp_path / "out"
    code, printed, complaints = run(
        "match",
        "--probe",
        nested,
        "--gallery",
        gallery,
        "--checkpoint",
        checkpoint,
        "--out",
        out,
        "--compare",
        "histogram",
    )
    assert (code, complaints) == (0, [])
    found, size = rows(out), len(list(gallery.iterdir()))
    assert list(found[0]) == ["probe", "rank", "gallery", "distance"]
    assert len(found) == 2 * size
    for start, folder in ((0, "a/0009_"), (size, "b/c/0010_")):
        lines = found[start : start + size]
        assert {line["probe"][: len(folder)] for line in lines} == {folder}
        assert [int(line["rank"]) for line in lines] == list(range(1, size + 1))
        distances = [float(line["distance"]) for line in lines]
        assert distances == sorted(distances)
        assert all(math.isfinite(distance) and distance >= 0 for distance in distances)
        assert sorted(line["gallery"] for line in lines) == sorted(path.name for path in gallery.iterdir())
    facts = json.loads((out / "matches.json").read_text())
    assert (facts["model"], facts["method"], facts["checkpoint"]) == ("dsr", "DSR multi-scale", str(checkpoint))
    assert (facts["probes"], facts["probes matched"], facts["gallery"], facts["top"]) == (2, 2, size, 100)
    assert facts["options"] == {"beta": 0.4, "scales": [1, 2, 3], "half": "none"}
    assert facts["problems"] == []
    assert "rank-1" in printed
    assert "DSR multi-scale" in " ".join(printed.split())
    assert "colour" in printed
    html = (out / "report.html").read_text()
    assert html.count('<figure class="panel pointing"') == 2
    assert "mAP" in html


def test_one_file_against_images_without_labels(run: Run, people: Path, checkpoint: Path, tmp_path: Path) -> None:
    gallery = tmp_path / "gallery"
    gallery.mkdir()
    probe = sorted((people / "query").iterdir())[0]
    image = Image.open(probe)
    image.save(gallery / "same.png")
    for index, size in enumerate([(17, 40), (200, 90), (64, 64)]):  # any size
        Image.effect_noise(size, 50).save(gallery / f"noise{index}.png")
    out = tmp_path / "out"
    arguments = ["--probe", probe, "--gallery", gallery, "--checkpoint", checkpoint, "--out", out]
    code, printed, complaints = run("match", *arguments, "--top", 2, "--scales", "1")
    assert (code, complaints) == (0, [])
    found = rows(out)
    assert [(line["probe"], line["rank"]) for line in found] == [(probe.name, "1"), (probe.name, "2")]
    assert found[0]["gallery"] == "same.png"
    assert "mAP" not in printed  # nobody can know who these are


def test_top_rules_what_is_printed_and_written(
    run: Run, people: Path, checkpoint: Path, nested: Path, tmp_path: Path
) -> None:
    gallery = people / "bounding_box_test"
    arguments = ["--probe", nested, "--gallery", gallery, "--checkpoint", checkpoint, "--scales", "1"]
    names = [path.name for path in gallery.iterdir()]
    for top, shown in ((1, 1), (2, 2), (5, 3)):
        code, printed, _ = run("match", *arguments, "--top", top, "--out", tmp_path / str(top))
        assert code == 0
        assert sum(printed.count(name) for name in names) == 2 * shown
        assert len(rows(tmp_path / str(top))) == 2 * top
        assert json.loads((tmp_path / str(top) / "matches.json").read_text())["top"] == top
    assert build_parser().parse_args(["match", "--probe", "x", "--gallery", "y"]).top == 100


def test_a_threshold_says_who_is_unknown(
    run: Run, people: Path, checkpoint: Path, nested: Path, tmp_path: Path
) -> None:
    arguments = ["--probe", nested, "--gallery", people / "query", "--checkpoint", checkpoint, "--top", 4]
    assert run("match", *arguments, "--out", tmp_path / "plain")[0] == 0
    near, far = sorted(float(line["distance"]) for line in rows(tmp_path / "plain") if line["rank"] == "1")
    out = tmp_path / "judged"
    code, printed, complaints = run("match", *arguments, "--threshold", (near + far) / 2, "--out", out)
    assert (code, complaints) == (0, [])
    found = rows(out)
    assert [{name: line[name] for name in line if name != "answer"} for line in found] == rows(tmp_path / "plain")
    first = {line["probe"]: float(line["distance"]) for line in found if line["rank"] == "1"}
    assert [line["answer"] for line in found] == [
        "unknown" if first[line["probe"]] == far else "known" for line in found
    ]
    facts = json.loads((out / "matches.json").read_text())
    assert (facts["threshold"], facts["probes unknown"]) == ((near + far) / 2, 1)
    assert printed.split().count("unknown") == printed.split().count("known") == 1
    page = (out / "report.html").read_text()
    assert page.count("unknown: nobody in the gallery is near enough") == 1
    assert "1 of 2 probes" in page
    assert "threshold" not in json.loads((tmp_path / "plain" / "matches.json").read_text())
    with pytest.raises(SystemExit):
        run("match", *arguments, "--threshold", "nan")


def test_scales_and_beta_change_the_distances(
    run: Run, people: Path, checkpoint: Path, nested: Path, tmp_path: Path
) -> None:
    distances = set()
    for index, options in enumerate([[], ["--beta", 0.1], ["--scales", "1"]]):
        out = tmp_path / f"out{index}"
        arguments = ["--probe", nested, "--gallery", people / "query", "--checkpoint", checkpoint, "--out", out]
        assert run("match", *arguments, *options)[0] == 0
        distances.add(rows(out)[0]["distance"])
    assert len(distances) == 3


def test_half_maps_are_near_and_named(run: Run, people: Path, checkpoint: Path, nested: Path, tmp_path: Path) -> None:
    distances = {}
    for half, words in (("none", []), ("float16", ["--half"]), ("bfloat16", ["--half", "bfloat16"])):
        out = tmp_path / half
        arguments = ["--probe", nested, "--gallery", people / "query", "--checkpoint", checkpoint, "--out", out]
        assert run("match", *arguments, *words)[0] == 0
        found = {(line["probe"], line["gallery"]): float(line["distance"]) for line in rows(out)}
        distances[half] = torch.tensor([found[pair] for pair in sorted(found)])
        assert json.loads((out / "matches.json").read_text())["options"]["half"] == half
    for half, error in (("float16", 2e-3), ("bfloat16", 2e-2)):
        torch.testing.assert_close(distances[half], distances["none"], rtol=error, atol=0)
        assert not distances[half].equal(distances["none"])
    code, _, complaints = run("match", "--probe", nested, "--gallery", people / "query", "--model", "dpti", "--half")
    assert code == 2
    assert complaints == [
        "reidops: --half: the model dpti has no such option of matching; the models that have it: dsr"
    ]


def test_without_out_nothing_is_written(
    run: Run, people: Path, checkpoint: Path, nested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    code, printed, _ = run("match", "--probe", nested, "--gallery", people / "query", "--checkpoint", checkpoint)
    assert code == 0
    assert "distance" in printed
    assert list(empty.iterdir()) == []


def test_unreadable_images_cost_nothing_else(
    run: Run, people: Path, checkpoint: Path, nested: Path, tmp_path: Path
) -> None:
    gallery, out = tmp_path / "gallery", tmp_path / "out"
    shutil.copytree(people / "bounding_box_test", gallery)
    (gallery / "0001_c1s1_000000_00.jpg").write_bytes(b"")
    (nested / "a" / "empty.jpg").write_bytes(b"")
    (nested / "text.png").write_text("not an image")
    whole = sorted((people / "query").iterdir())[0].read_bytes()
    (nested / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (gallery / "0002_c1s1_000000_00.jpg").write_bytes(whole[: len(whole) // 2])
    (nested / "readme.txt").write_text("no image, and does not claim to be one")
    code, _, complaints = run(
        "match", "--probe", nested, "--gallery", gallery, "--checkpoint", checkpoint, "--out", out
    )
    assert code == 1
    # What breaks off behind its header is found when its turn comes.
    named = ["0001_c1s1_000000_00.jpg", "readme.txt", "a/empty.jpg", "text.png", "0002_c1s1_000000_00.jpg", "cut.jpg"]
    for line, name in zip(complaints, named, strict=True):
        assert line.startswith("reidops: ")
        assert name in line
    assert len({line["probe"] for line in rows(out)}) == 2
    assert {line["gallery"] for line in rows(out)} == {path.name for path in (people / "bounding_box_test").iterdir()}
    assert "cut.jpg" in (out / "report.html").read_text()


def test_what_is_passed_over_is_named(run: Run, people: Path, checkpoint: Path, nested: Path, tmp_path: Path) -> None:
    for name in ("notes.txt", "a/index.db"):
        (nested / name).parent.mkdir(exist_ok=True)
        (nested / name).touch()
    arguments = ("match", "--probe", list_images(people / "query")[0], "--gallery", nested, "--checkpoint", checkpoint)
    code, _, complaints = run(*arguments, "--out", tmp_path / "out")
    assert code == 0
    assert complaints == [f"reidops: {nested}: passed over, no images by their names: a/index.db, notes.txt"]
    assert json.loads((tmp_path / "out" / "matches.json").read_text())["passed over"] == [
        complaints[0].removeprefix("reidops: ")
    ]
    assert "passed over, no images by their names" in (tmp_path / "out" / "report.html").read_text()


def test_a_probe_that_is_unreadable_leaves_a_result_without_matches(
    run: Run, people: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "p.jpg").write_bytes(b"")
    out = tmp_path / "out"
    arguments = ["--probe", tmp_path / "p.jpg", "--gallery", people / "query", "--checkpoint", checkpoint, "--out", out]
    code, _, complaints = run("match", *arguments)
    assert code == 2  # no result at all
    assert len(complaints) == 1
    assert rows(out) == []
    facts = json.loads((out / "matches.json").read_text())
    assert facts["probes matched"] == 0
    assert [f"reidops: {problem}" for problem in facts["problems"]] == complaints


def test_a_probe_that_cannot_be_matched_does_not_take_the_others_along(
    run: Run, people: Path, checkpoint: Path, nested: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (8, 8)).save(nested / "speck.png")  # a map of 1x1, where blocks of 2x2 are asked for
    out = tmp_path / "out"
    arguments = ["--probe", nested, "--gallery", people / "query", "--checkpoint", checkpoint, "--out", out]
    code, _, complaints = run("match", *arguments, "--scales", "2")
    assert code == 1
    assert len(complaints) == 1
    assert "speck.png" in complaints[0]
    assert len({line["probe"] for line in rows(out)}) == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"--gallery": "nowhere"}, "nowhere: no such file or folder"),
        ({"--probe": "nowhere"}, "nowhere: no such file or folder"),
        ({"--gallery": "empty"}, "empty: no image files in this folder"),
        ({"--probe": "empty"}, "empty: no image files in this folder"),
        ({"--gallery": "unreadable"}, "unreadable: not one image in it can be read"),
        ({"--checkpoint": "nowhere.safetensors"}, "nowhere"),
        ({"--checkpoint": "other"}, "'nobody'"),
        ({"--checkpoint": "mixed"}, "it is of 'stnreid', and its recipe of 'dsr'"),
        ({"--checkpoint": "damaged"}, "damaged"),
        ({"--model": "nothing"}, "--model: unknown 'nothing'"),
        ({"--beta": "-1"}, "--beta: Input should be greater than 0, got -1.0"),
    ],
    ids=lambda value: " ".join(value) + "=" + next(iter(value.values())) if isinstance(value, dict) else "",
)
def test_what_cannot_be_done_is_said_in_one_line(
    run: Run,
    people: Path,
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("unreadable").mkdir()
    Path("unreadable", "zero.jpg").write_bytes(b"")
    values = json.loads(checkpoint.with_suffix(".json").read_text())
    other, mixed = ({**values, "model": model} for model in ("nobody", "stnreid"))
    for name, content in (("other", other), ("mixed", mixed), ("damaged", values)):
        Path(f"{name}.json").write_text(json.dumps(content))
        shutil.copy(checkpoint, f"{name}.safetensors")
    Path("damaged.safetensors").write_bytes(checkpoint.read_bytes()[:1000])

    options = {"--probe": people / "query", "--gallery": people / "query", "--checkpoint": checkpoint, **change}
    code, printed, complaints = run("match", *(part for option in options.items() for part in option))
    assert code == 2
    assert printed == ""
    assert expected in complaints[-1]
    assert len(complaints) == (2 if "unreadable" in expected else 1)  # there the image's own line comes first


def test_file_names_are_text_and_nothing_else(run: Run, people: Path, checkpoint: Path, tmp_path: Path) -> None:
    source = sorted((people / "partial_query").iterdir())[0]
    names = ["a,b 'q' \"q\".jpg", "<b>&amp;.jpg", "[red]x.jpg", ":smile:.jpg", "人 ü.JPG", os.fsdecode(b"bad\xff.jpg")]
    (tmp_path / "probes" / "dir[").mkdir(parents=True)
    for name in (*names, "dir[/x].jpg"):  # which Rich would take for the end of a markup
        shutil.copy(source, tmp_path / "probes" / name)
    code, printed, complaints = run(
        "match", "--probe", tmp_path / "probes", "--gallery", people / "query", "--checkpoint", checkpoint,
        "--out", tmp_path / "out", "--top", 2,
    )  # fmt: skip
    assert (code, complaints) == (0, [])
    shown = [name.encode("utf-8", "backslashreplace").decode() for name in (*names, "dir[/x].jpg")]
    assert {row["probe"] for row in rows(tmp_path / "out")} == set(shown)
    assert all(name in printed for name in shown)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<b>&" not in page
    assert "&lt;b&gt;&amp;amp;.jpg" in page


def test_a_link_to_nothing_is_named(run: Run, people: Path, checkpoint: Path, nested: Path) -> None:
    (nested / "gone.jpg").symlink_to("nowhere.jpg")
    code, printed, complaints = run(
        "match", "--probe", nested, "--gallery", people / "query", "--checkpoint", checkpoint
    )
    assert code == 1
    assert complaints == [f"reidops: {nested / 'gone.jpg'}: no such file"]
    assert "a/0009" in printed


def test_a_checkpoint_of_another_model_is_refused_by_name(run: Run, people: Path, checkpoint: Path) -> None:
    code, _, complaints = run(
        "match",
        "--probe",
        people / "query",
        "--gallery",
        people / "query",
        "--checkpoint",
        checkpoint,
        "--model",
        "stnreid",
    )
    assert code == 2
    assert len(complaints) == 1
    assert "stnreid" in complaints[0]


def test_histogram_matcher() -> None:
    matcher = HistogramMatcher()
    red, green, mixed = torch.zeros(3, 8, 4), torch.zeros(3, 6, 9), torch.zeros(3, 2, 2)
    red[0], green[1] = 1, 1
    mixed[0, 0], mixed[1, 1] = 1, 1  # half of each: d = sqrt(1 - sqrt(1/2))
    distances = matcher.distances(matcher.embed([red, mixed]), matcher.embed([red, green]))
    half = math.sqrt(1 - math.sqrt(0.5))
    torch.testing.assert_close(distances, torch.tensor([[0.0, 1.0], [half, half]]), atol=5e-4, rtol=0)
