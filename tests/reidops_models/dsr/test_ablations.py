"""The paper's tables, end to end on a benchmark in which numbers mean nothing: what is compared with what."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch

import reidops
from reidops_models.cli import main
from reidops_models.evaluation import evaluate_ranking
from reidops_models.reproduction import Study
from reidops_models.reproduction.dsr import published
from reidops_models.reproduction.dsr.experiments import FINE_TUNED, PARTIAL, PRE_TRAINED, Experiments
from reidops_models.reproduction.dsr.tables import METHODS, TABLES


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study(tmp_path_factory.mktemp("study"), (0, 1), "tiny", say=lambda _: None)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_can_be_made(study: Study, name: str, tmp_path: Path) -> None:
    table = TABLES[name](study)
    assert table.name == name
    assert all(path.stat().st_size for path in table.write(tmp_path))
    for row in table.rows:
        assert len(row.results) == len(study.seeds)
        assert row.pooled.valid.all()
    names = [row.name for row in table.rows]
    assert len(set(names)) == len(names)
    assert {claim.better for claim in table.claims} | {claim.worse for claim in table.claims} <= set(names)


def test_tables_1_and_2_are_of_all_methods(study: Study) -> None:
    for name, numbers, shots in (("table1", published.TABLE_1, 1), ("table2", published.TABLE_2, 3)):
        table = TABLES[name](study)
        assert tuple(row.name for row in table.rows[: len(METHODS)]) == METHODS
        for row in table.rows[: len(METHODS)]:
            assert row.published == numbers[row.name]
            # Each probe is compared with every person once.
            positives, negatives = row.verification[0].pairs
            assert (positives, negatives) == (row.results[0].probes, row.results[0].probes * 7), shots


def test_three_pictures_are_averaged(study: Study) -> None:
    runs = Experiments(study)
    search = study.search(0, PARTIAL)
    distances = runs.table(0, FINE_TUNED, "DSR single-scale")
    people = sorted(set(search.gallery_pids.tolist()))
    means = torch.stack([distances[:, torch.tensor(search.gallery_pids == pid)].mean(1) for pid in people], dim=1)
    expected = evaluate_ranking(means, search.probe_pids, people)
    found = runs.ranked(lambda seed: runs.table(seed, FINE_TUNED, "DSR single-scale"), shots=3)[0]
    assert found.first_match.tolist() == expected.first_match.tolist()


def test_a_person_is_one_dictionary(study: Study) -> None:
    runs = Experiments(study)
    search = study.search(1, PARTIAL)
    matcher = runs.dsr(1, FINE_TUNED, (1,))
    probes, gallery = matcher.embed(search.probes, role="probe"), matcher.embed(search.gallery)
    for kind, method in (("groups", "lasso"), ("joint", "joint")):
        expected = reidops.dsr_distance(probes, gallery, method=method, groups=search.gallery_pids.tolist())
        torch.testing.assert_close(runs.people(1, FINE_TUNED, kind, 3), expected)


def test_probes_come_at_another_scale(study: Study) -> None:
    runs = Experiments(study)
    same = runs.rescaled(0, PRE_TRAINED, (1,), 1.0)
    first = study.search(0, PARTIAL).first_of_each
    torch.testing.assert_close(same, runs.table(0, PRE_TRAINED, "DSR single-scale")[:, first])
    assert not torch.equal(same, runs.rescaled(0, PRE_TRAINED, (1,), 2.0))
    assert not torch.equal(same, runs.rescaled(0, PRE_TRAINED, (1,), None))


def test_the_papers_numbers_rise_with_the_rank() -> None:
    """As printed, but for one: AMC+SWM on Partial-iLIDS in table 1."""
    for table in (published.TABLE_1, published.TABLE_2):
        for method, groups in table.items():
            for group, numbers in groups.items():
                falls = [a > b for a, b in pairwise(numbers)]
                assert any(falls) == (table is published.TABLE_1 and (method, group) == ("AMC+SWM", published.ILIDS))


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["reproduce", "dsr", "--table", "figure9", "--size", "tiny", "--seeds", "3", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert "these numbers mean nothing" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.glob("figure9*")) == ["figure9-cmc.png", "figure9.json", "figure9.md"]
    assert main(["reproduce", "dsr", "--table", "table9", "--out", str(tmp_path)]) == 2
    assert "--table: unknown 'table9'; dsr has table1, table2" in capsys.readouterr().err
    assert main(["reproduce", "dsrr", "--table", "all"]) == 2
    assert "unknown paper 'dsrr'; known: csn, dpti, dsr" in capsys.readouterr().err
    assert main(["reproduce", "dsr", "--table", "all", "--seeds", "1,1", "--out", str(tmp_path)]) == 2
    assert "--seeds: expected different numbers, got 1,1" in capsys.readouterr().err
