"""The paper's tables, end to end on a benchmark in which numbers mean nothing: what is compared with what."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidops_models.cli import main
from reidops_models.mgre.regions import REGIONS
from reidops_models.reproduction import Study
from reidops_models.reproduction.mgre import published
from reidops_models.reproduction.mgre.experiments import Experiments, label_of
from reidops_models.reproduction.mgre.tables import CLAIMS_OF_TABLE_4, CLAIMS_OF_TABLE_5, CLAIMS_OF_TABLE_7, TABLES


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study(tmp_path_factory.mktemp("study"), (0,), "tiny", say=lambda _: None)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_can_be_made(study: Study, name: str, tmp_path: Path) -> None:
    table = TABLES[name](study)
    assert table.name == name
    assert all(path.stat().st_size for path in table.write(tmp_path))
    for row in table.rows:
        assert len(row.results) == len(study.seeds)
        assert row.pooled.valid.all()
        assert all(len(numbers) == len(table.metrics) for numbers in row.published.values())
    names = [row.name for row in table.rows]
    assert len(set(names)) == len(names)
    assert {claim.better for claim in table.claims} | {claim.worse for claim in table.claims} <= set(names)


def test_every_claim_holds_in_the_papers_own_numbers() -> None:
    table_4 = {name: by_set[published.MARKET] for name, by_set in published.TABLE_4.items()}
    for claims, printed, columns in (
        (CLAIMS_OF_TABLE_4, table_4, {"r1": 0, "mAP": 1}),
        (CLAIMS_OF_TABLE_5, published.TABLE_5, {"r1": 0, "r5": 1, "mAP": 2}),
        (CLAIMS_OF_TABLE_7, published.TABLE_7, {"r1": 0, "r5": 1, "mAP": 2}),
    ):
        for claim in claims:
            column = columns[claim.metric]
            assert printed[claim.better][column] > printed[claim.worse][column], str(claim)


def test_erased_images_are_the_same_for_every_network(study: Study) -> None:
    runs = Experiments(study)
    search = study.search(0, "query")
    network = runs.network(0, "MGRe")
    plain = torch.cat(runs.batches(network, search.probes, None))
    erased = torch.cat(runs.batches(network, search.probes, (0, 0)))
    again = torch.cat(runs.batches(runs.network(0, "Baseline"), search.probes, (0, 0)))
    other = torch.cat(runs.batches(network, search.probes, (0, 1)))
    assert erased.equal(again)
    assert not erased.equal(other)
    changed = (erased != plain).flatten(1).any(dim=1).float().mean()
    assert 0.2 <= float(changed) <= 0.8


def test_location_errors_of_exact_boxes_are_none(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    from reidops_models.mgre.poses import read_poses
    from reidops_models.mgre.regions import region_boxes, regions_of

    runs = Experiments(study)
    people = study.people(0)
    poses = read_poses([*people.query, *people.gallery])
    exact = {stage: region_boxes(poses, regions_of(stage))[0] for stage in (1, 2, 3)}
    monkeypatch.setattr(runs, "located", lambda network, images: [exact])
    errors = runs.location_errors(0, "MGRe")
    assert set(errors) == {region.name for region in REGIONS}
    for found, predefined, edge in errors.values():
        assert found == pytest.approx(1, abs=1e-4)
        assert 0 < predefined < 1
        assert edge == pytest.approx(0, abs=1e-6)


def test_what_is_kept_is_not_computed_again(study: Study) -> None:
    runs = Experiments(study)
    runs.ranked("MGRe without JO")
    folder = study.checkpoint(0, label_of("MGRe without JO")).with_name("distances")
    assert {file.stem for file in folder.iterdir()} == {"plain"}


def test_the_command_makes_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "mgre", "--table", "table8", "--out", str(tmp_path)]) == 0
    assert "7.93" in capsys.readouterr().out
    assert (tmp_path / "table8.json").is_file()
