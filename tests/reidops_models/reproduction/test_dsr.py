"""What is special in the tables of the DSR paper: what is compared with what."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import torch

import reidops
from reidops_models.evaluation import evaluate_ranking
from reidops_models.reproduction import Study
from reidops_models.reproduction.dsr import published
from reidops_models.reproduction.dsr.experiments import FINE_TUNED, PARTIAL, PRE_TRAINED, DsrRuns
from reidops_models.reproduction.dsr.tables import METHODS, TABLES


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
    runs = DsrRuns(study)
    search = study.search(0, PARTIAL)
    distances = runs.matched(0, FINE_TUNED, "DSR single-scale")
    people = sorted(set(search.gallery_pids.tolist()))
    means = torch.stack([distances[:, torch.tensor(search.gallery_pids == pid)].mean(1) for pid in people], dim=1)
    expected = evaluate_ranking(means, search.probe_pids, people)
    found = runs.ranked(lambda seed: runs.matched(seed, FINE_TUNED, "DSR single-scale"), shots=3)[0]
    assert found.first_match.tolist() == expected.first_match.tolist()


def test_a_person_is_one_dictionary(study: Study) -> None:
    runs = DsrRuns(study)
    search = study.search(1, PARTIAL)
    matcher = runs.dsr(1, FINE_TUNED, (1,))
    probes, gallery = matcher.embed(search.probes, role="probe"), matcher.embed(search.gallery)
    for kind, method in (("groups", "lasso"), ("joint", "joint")):
        expected = reidops.dsr_distance(probes, gallery, method=method, groups=search.gallery_pids.tolist())
        torch.testing.assert_close(runs.people(1, FINE_TUNED, kind, 3), expected)


def test_probes_come_at_another_scale(study: Study) -> None:
    runs = DsrRuns(study)
    same = runs.rescaled(0, PRE_TRAINED, (1,), 1.0)
    first = study.search(0, PARTIAL).first_of_each
    torch.testing.assert_close(same, runs.matched(0, PRE_TRAINED, "DSR single-scale")[:, first])
    assert not torch.equal(same, runs.rescaled(0, PRE_TRAINED, (1,), 2.0))
    assert not torch.equal(same, runs.rescaled(0, PRE_TRAINED, (1,), None))


def test_the_papers_numbers_rise_with_the_rank() -> None:
    """As printed, but for one: AMC+SWM on Partial-iLIDS in table 1."""
    for table in (published.TABLE_1, published.TABLE_2):
        for method, groups in table.items():
            for group, numbers in groups.items():
                falls = [a > b for a, b in pairwise(numbers)]
                assert any(falls) == (table is published.TABLE_1 and (method, group) == ("AMC+SWM", published.ILIDS))


def test_every_seed_gives_a_result(study: Study) -> None:
    table = TABLES["figure9"](replace(study, seeds=(0, 1)))
    for row in table.rows:
        assert len(row.results) == 2
        assert row.pooled.probes == sum(result.probes for result in row.results)
