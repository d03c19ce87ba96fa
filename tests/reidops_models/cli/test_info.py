"""`reidops info`, `recipes`, `data check`, `merge`, `--version`: what is installed, and what files are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

import reidops
from reidops_models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from reidops_models.cli import main
from reidops_models.paper import Paper, PaperError, find_paper, paper_names
from reidops_models.recipe import load_recipe, packaged_recipes

from .conftest import Run


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"reidops {reidops.__version__}\n"


def test_info_says_what_is_installed(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    reidops.show_config()
    configuration = capsys.readouterr().out
    code, printed, complaints = run("info")
    assert (code, complaints) == (0, [])
    assert printed.startswith(configuration)
    models = dict(part.split("\n", 1) for part in printed.removeprefix(configuration).strip().split("\n\n"))
    assert [name.partition(" ")[0] for name in models] == list(paper_names())
    assert "checkpoints/demo.safetensors" in models["csn"]
    assert "  match, evaluate     --metric\n" in models["stnreid"]
    assert models["stnreid"].rstrip().endswith("  evaluate --rivals   --beta --half")


def test_info_goes_on_where_a_model_cannot_be_loaded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> Paper:
        if name == "dsr":
            raise PaperError("the paper 'dsr' of the distribution 'other': cannot be loaded")
        return find_paper(name)

    monkeypatch.setattr("reidops_models.paper.find_paper", find)
    code, printed, complaints = run("info")
    assert code == 1
    assert complaints == ["reidops: the paper 'dsr' of the distribution 'other': cannot be loaded"]
    assert "\nstnreid\n" in printed


def test_info_says_what_a_checkpoint_is(run: Run, checkpoint: Path) -> None:
    code, printed, complaints = run("info", checkpoint)
    assert (code, complaints) == (0, [])
    values = yaml.safe_load(printed)
    assert list(values) == ["model", "identities", "notes", "recipe"]
    assert (values["model"], values["identities"], values["notes"]) == ("dsr", 4, {})
    assert values["recipe"] == load_recipe("dsr/demo").model_dump(mode="json")
    assert run("info", "nothing")[::2] == (2, ["reidops: nothing: no file nothing.json"])


def test_recipes_are_listed_on_a_line_each(run: Run) -> None:
    code, printed, complaints = run("recipes")
    assert (code, complaints) == (0, [])
    lines = dict(line.split(maxsplit=1) for line in printed.splitlines())
    assert list(lines) == packaged_recipes()
    assert len(set(lines.values())) == len(lines)  # each line says something of its own
    assert lines["csn/cuhk03_extended"] == "CSN on CUHK03, labeled or detected (CSN, sec. 4.2): the extended model"
    code, _, complaints = run("recipes", "dsr/nothing")
    assert code == 2
    assert complaints[0].startswith("reidops: dsr/nothing: neither a .yaml file nor a packaged recipe")


@pytest.mark.parametrize("name", packaged_recipes())
def test_a_printed_recipe_is_the_recipe(name: str, run: Run, tmp_path: Path) -> None:
    code, printed, _ = run("recipes", name)
    assert code == 0
    assert "extends" not in printed
    (tmp_path / "mine.yaml").write_text(printed)
    assert load_recipe(tmp_path / "mine.yaml") == load_recipe(name)


def test_data_check_describes_every_data_set(run: Run, people: Path, tmp_path: Path) -> None:
    code, printed, complaints = run("data", "check", tmp_path / "nowhere", people)
    assert code == 1
    assert "drawn people, size tiny" in printed
    assert complaints == [f"reidops: {tmp_path / 'nowhere'}: no such folder"]
    assert run("data", "check", people)[::2] == (0, [])
    assert run("data", "check", tmp_path / "nowhere")[0] == 2
    code, _, complaints = run("data", "check", people, "--setting", "0")
    assert code == 2
    assert "only CUHK03, CUHK01 and VIPeR have settings" in complaints[0]


def test_merge_joins_two_checkpoints(run: Run, tmp_path: Path) -> None:
    paper, paths = find_paper("stnreid"), []
    for seed, recipe in enumerate((load_recipe("stnreid/demo_stage1"), load_recipe("stnreid/demo_reid"))):
        torch.manual_seed(seed)
        network = paper.build_network(recipe, 8)
        paths.append(save_checkpoint(tmp_path / str(seed), Checkpoint(network, recipe, 8)))
    arguments = ["--reid", paths[1], "--out", tmp_path / "merged"]
    code, printed, complaints = run("merge", "--stn", paths[0], *arguments)
    assert (code, printed, complaints) == (0, f"written: {tmp_path / 'merged.safetensors'}\n", [])
    assert load_checkpoint(tmp_path / "merged", model="stnreid").identities == 8
    assert run("merge", "--stn", "nothing", *arguments) == (2, "", ["reidops: nothing: no file nothing.json"])


def test_synth_draws_a_sheet(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "new" / "sheet.png"
    assert run("synth", "--sheet", sheet) == (0, f"written: {sheet}\n", [])
    with Image.open(sheet) as image:
        assert image.width > 600
    with pytest.raises(SystemExit):
        main(["synth"])
    assert capsys.readouterr().err.endswith("error: the following arguments are required: OUT, or --sheet FILE\n")
