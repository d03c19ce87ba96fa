"""The other commands, and what all of them have in common."""

from __future__ import annotations

import json
import pkgutil
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest

import reidops_models.cli
from reidops_models.cli import build_parser, main
from reidops_models.data import load_market1501, write_synthetic
from reidops_models.data.synthetic import SIZES
from reidops_models.evaluation import evaluate_multi_shot
from reidops_models.paper import find_paper
from reidops_models.retrieval import evaluate

from .conftest import Run

COMMANDS = [module.__name__.rpartition(".")[2] for module in reidops_models.cli.COMMANDS]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert f"  reidops {command}" in printed.partition("examples:")[2]
    assert max(map(len, printed.splitlines())) <= 120


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["fly"],
        ["match", "--probe", "x"],
        ["match", "--probe", "x", "--gallery", "y", "--top", "0"],
        ["match", "--probe", "x", "--gallery", "y", "--scales", "1,two"],
        ["synth", "x", "--seed", "-1"],
        ["demo", "--seed", str(2**32)],
    ],
)
def test_wrong_words_are_a_usage_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert "usage: reidops" in capsys.readouterr().err


def test_a_number_that_is_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["match", "--probe", "x", "--gallery", "y", "--scales", "1,two"])
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith("argument --scales: expected a whole number, 1 or more, got 'two'")


def test_nothing_heavy_is_imported_for_help() -> None:
    code = "import sys; from reidops_models.cli import build_parser; build_parser().format_help(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "matplotlib", "lightning", "PIL", "jinja2", "numpy", "ray", "rich"}
    assert heavy.isdisjoint(done.stdout.split())


def test_a_missing_extra_is_named(run: Run, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning", None)
    monkeypatch.delitem(sys.modules, "reidops_models.training.run", raising=False)
    code, _, complaints = run("train", "--recipe", "dsr/demo", "--data", people, "--out", tmp_path / "out")
    assert code == 2
    assert complaints == ["reidops: the package 'lightning' is missing: pip install 'reidops[models]'"]


def test_our_own_mistakes_keep_their_trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def mistaken(*arguments: object, **options: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr("reidops_models.data.write_synthetic", mistaken)
    with pytest.raises(ValueError, match="a bug"):
        main(["synth", str(tmp_path / "out")])


def test_synth_writes_once_and_refuses_a_folder_in_use(run: Run, tmp_path: Path) -> None:
    assert run("synth", tmp_path / "people", "--size", "tiny") == (0, f"written: {tmp_path / 'people'}\n", [])
    assert (tmp_path / "people" / "partial_query").is_dir()
    code, _, complaints = run("synth", tmp_path / "people", "--size", "tiny", "--seed", 1)
    assert code == 2
    assert len(complaints) == 1


def test_evaluate_prints_and_writes_every_method(run: Run, people: Path, checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, printed, complaints = run(
        "evaluate", "--data", people, "--checkpoint", checkpoint, "--out", out, "--pictures", 2
    )
    assert (code, complaints) == (0, [])
    assert printed.startswith(f"synthetic: {people}\n  variant: drawn people, size tiny, seed 0, test split\n")
    assert "24 probes of 8 people" in printed
    values = json.loads((out / "evaluation.json").read_text())
    assert list(values["methods"]) == ["Resizing model", "DSR single-scale", "DSR multi-scale"]
    for method in values["methods"].values():
        assert method["cmc"] == sorted(method["cmc"])
        assert len(method["cmc"]) == 20
        assert method["cmc"][-1] == 1.0  # the gallery has 12 images
        assert 0 <= method["r1"]["low"] <= method["r1"]["value"] <= method["r1"]["high"] <= 1
        assert method["r1"]["value"] == method["cmc"][0]
        assert list(method["tpr at fpr"]) == ["0.001", "0.01", "0.1"]
        assert 0 <= method["tpr at fpr"]["0.01"]["value"] <= method["tpr at fpr"]["0.1"]["value"] <= 1
        assert 0 <= method["eer"] <= 1
    for name in ("cmc.png", "roc.png"):
        assert (out / name).stat().st_size > 10_000
    assert (out / "table.md").read_text().count("| DSR single-scale |") == 3
    report = (out / "report.html").read_text()
    assert report.count("<section") == 2
    assert report.count("<table>") == 3
    assert all(f'alt="{name} curves"' in report for name in ("CMC", "ROC"))


def test_evaluate_takes_other_probes_and_fewer_methods(run: Run, people: Path, checkpoint: Path) -> None:
    arguments = ["--data", people / "validation", "--checkpoint", checkpoint, "--probes", "query"]
    code, printed, _ = run("evaluate", *arguments, "--methods", "resizing-model")
    assert code == 0
    assert "12 probes of 4 people" in printed
    assert "DSR" not in printed


def test_evaluate_ranks_people_by_several_images(run: Run, checkpoint: Path, tmp_path: Path) -> None:
    plan = replace(SIZES["tiny"], gallery_images=2)
    people = write_synthetic(tmp_path / "people", plan, workers=1)
    arguments = ["--data", people, "--checkpoint", checkpoint, "--methods", "dsr-single-scale", "--out", tmp_path / "o"]
    code, printed, _ = run("evaluate", *arguments, "--shots", "2", "--repeats", "3")
    assert code == 0
    assert "partial_query in people, 2 shots, 3 draws" in printed
    assert "\n24 probes of 8 people" in printed
    values = json.loads((tmp_path / "o" / "evaluation.json").read_text())
    assert (values["shots"], values["repeats"]) == (2, 3)
    assert values["methods"]["DSR single-scale"]["probes without a right picture"] == 0

    found = evaluate(checkpoint, load_market1501(people), shots=2, repeats=3)
    expected = evaluate_multi_shot(
        found["DSR single-scale"].distances,
        [image.pid for image in found.probes],
        [image.pid for image in found.gallery],
        [image.camid for image in found.probes],
        [image.camid for image in found.gallery],
        shots=2,
        repeats=3,
        distractor_pid=0,  # each distractor is somebody
    )
    assert values["methods"]["DSR single-scale"]["r1"]["value"] == expected.rank(1)


def test_evaluate_compares_with_the_papers_rivals(run: Run, people: Path, checkpoint: Path) -> None:
    arguments = ["--data", people / "validation", "--checkpoint", checkpoint, "--rivals"]
    code, printed, _ = run("evaluate", *arguments, "--methods", "swm,amc+swm,dsr-single-scale")
    assert code == 0
    assert all(name in printed for name in ("SWM", "AMC+SWM", "DSR single-scale"))
    code, _, complaints = run("evaluate", *arguments[:-1], "--methods", "swm")
    assert code == 2
    assert "known: resizing-model, dsr-single-scale, dsr-multi-scale" in complaints[0]


@pytest.mark.parametrize("query", ["partial", "occluded"])
def test_evaluate_takes_a_partial_set_as_it_is_unpacked(
    run: Run, people: Path, checkpoint: Path, tmp_path: Path, query: str
) -> None:
    for folder, source in (
        ("whole", "bounding_box_test"),
        ("partial", "partial_query"),
        ("occluded", "occluded_query"),
    ):
        (tmp_path / f"{folder}_body_images").mkdir()
        for path in sorted((people / source).glob("*.jpg")):
            if not path.name.startswith("0000"):  # a distractor
                shutil.copy(path, tmp_path / f"{folder}_body_images" / f"{path.name[1:4]}_{path.name[5:]}")
    arguments = ["--data", tmp_path, "--checkpoint", checkpoint, "--methods", "resizing-model"]
    code, printed, _ = run("evaluate", *arguments, "--query", query)
    assert code == 0
    assert f"variant: query: {query}_body_images" in printed
    assert "24 probes of 8 people" in printed
    code, _, complaints = run("evaluate", "--data", people, "--checkpoint", checkpoint, "--query", query)
    assert code == 2
    assert "only Partial-REID has a choice of query" in complaints[0]


def test_a_data_set_without_partial_probes_is_searched_for_its_queries(
    run: Run, people: Path, checkpoint: Path, tmp_path: Path
) -> None:
    for folder in ("query", "bounding_box_test"):
        (tmp_path / folder).symlink_to(people / folder)
    arguments = ["--data", tmp_path, "--checkpoint", checkpoint, "--methods", "resizing-model"]
    code, printed, _ = run("evaluate", *arguments)
    assert code == 0
    assert "variant: own data in Market-1501 layout" in printed
    assert "query in " in printed


def test_evaluate_without_cameras_takes_nothing_out(run: Run, people: Path, checkpoint: Path, tmp_path: Path) -> None:
    rows = ["path,pid,camid,split"]
    for split, folder in (("query", "query"), ("gallery", "bounding_box_test")):
        for path in sorted((people / folder).glob("0009_*.jpg")) + sorted((people / folder).glob("0010_*.jpg")):
            rows.append(f"{path},{int(path.name[:4])},{{camera}},{split}")
    arguments = ["--checkpoint", checkpoint, "--methods", "resizing-model"]
    for name, camera, expected in (("none", "", 0), ("one", "1", 2)):
        table = tmp_path / f"{name}.csv"
        table.write_text("\n".join(rows).format(camera=camera))
        code, printed, complaints = run("evaluate", "--data", table, *arguments)
        assert code == expected
        assert ("6 probes of 2 people" in printed) == (expected == 0)
        assert expected == 0 or "shows their people by the probe's own camera alone" in complaints[0]


def test_train_says_what_it_trains_on(run: Run, people: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    demo = (find_paper("dsr").folder / "recipes" / "demo.yaml").read_text()
    recipe.write_text(demo.replace("epochs: 15", "epochs: 1").replace("size: 64\n", "size: 8\n"))
    code, printed, complaints = run("train", "--recipe", recipe, "--data", people, "--out", tmp_path / "out")
    assert (code, complaints) == (0, [])
    assert "\n  train: 32 images, 8 identities, 6 cameras\n" in printed
    assert printed.endswith(f"written: {tmp_path / 'out' / 'model.safetensors'}\n")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--probes", "nobody"], "nobody"),
        (["--methods", "guessing"], "known: resizing-model, dsr-single-scale, dsr-multi-scale"),
        (["--data", "nowhere"], "nowhere: no such folder"),
        (["--scales", "9"], "DSR multi-scale: dsr_distance: "),
        (["--scales", "2,2"], "reidops: --scales: a block size stands there twice"),
        (["--checkpoint", "."], "expected the name of a checkpoint"),
    ],
)
def test_evaluate_says_what_it_cannot_do(
    run: Run, people: Path, checkpoint: Path, options: list[str], expected: str
) -> None:
    code, _, complaints = run("evaluate", "--data", people, "--checkpoint", checkpoint, *options)
    assert code == 2
    assert len(complaints) == 1
    assert expected in complaints[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--recipe", "dsr/nothing"], "dsr/nothing"),
        (["--data", "nowhere"], "nowhere: no such folder"),
        (["--resume"], "last.ckpt: nothing to resume from"),
    ],
)
def test_train_says_what_it_cannot_do(
    run: Run, people: Path, tmp_path: Path, options: list[str], expected: str
) -> None:
    code, _, complaints = run("train", "--recipe", "dsr/demo", "--data", people, "--out", tmp_path, *options)
    assert code == 2
    assert len(complaints) == 1
    assert expected in complaints[0]


def test_demo_from_nothing_to_a_report(run: Run, tmp_path: Path) -> None:
    code, printed, _ = run("demo", "--size", "tiny", "--out", tmp_path / "demo")
    assert code == 0
    for name in ("report.html", "cmc.png", "evaluation.json", "table.md", "training/model.safetensors"):
        assert (tmp_path / "demo" / name).is_file()
    assert str(tmp_path / "demo" / "report.html") in printed
    # What it trained is a checkpoint that match takes.
    people = tmp_path / "demo" / "people-tiny-0"
    weights = tmp_path / "demo" / "training" / "model.safetensors"
    arguments = ["--probe", people / "partial_query", "--gallery", people / "query", "--checkpoint", weights]
    assert run("match", *arguments, "--scales", "1")[0] == 0


def test_every_command_is_in_the_help() -> None:
    text = build_parser().format_help()
    package = reidops_models.cli
    modules = [import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__)]
    assert [module for module in modules if hasattr(module, "SUMMARY") and module not in package.COMMANDS] == []
    assert all(re.search(rf"^    {command}\s", text, re.MULTILINE) for command in COMMANDS)


def test_a_folder_that_cannot_be_written_is_found_before_the_work(
    run: Run, people: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    code, printed, complaints = run(
        "evaluate", "--data", people, "--checkpoint", checkpoint, "--out", tmp_path / "file"
    )
    assert code == 2
    assert "rank-1" not in printed
    assert complaints == [f"reidops: {tmp_path / 'file'}: File exists"]
