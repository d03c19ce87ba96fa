"""What is special in the tables of the DPTI paper: what is compared with what."""

from __future__ import annotations

import numpy as np
import torch

from reidops_models.reproduction import Study
from reidops_models.reproduction.dpti import published
from reidops_models.reproduction.dpti.experiments import PROBE_SETS, VARIANTS, DptiRuns, covered
from reidops_models.reproduction.dpti.tables import CLAIMS_OF_TABLE_4, CLAIMS_OF_TABLE_5, ROWS_OF_TABLE_5, TABLES


def test_every_printed_number_of_table_4_stands_in_its_row(study: Study) -> None:
    rows = {row.name: row.published[published.PAPER] for row in TABLES["table4"](study).rows}
    printed = {
        f"{name}, {probes}": values
        for name, by_probes in published.TABLE_4.items()
        for probes, values in by_probes.items()
    }
    assert rows == printed


def test_every_claim_holds_in_the_papers_own_numbers() -> None:
    printed = {
        f"{name}, {probes}": values
        for name, by_probes in published.TABLE_4.items()
        for probes, values in by_probes.items()
    }
    for claim in CLAIMS_OF_TABLE_4:
        column = {"r1": 0, "mAP": 2}[claim.metric]
        assert not claim.published or printed[claim.better][column] > printed[claim.worse][column], str(claim)
    for claim in CLAIMS_OF_TABLE_5:
        column = {"r1": 0, "mAP": 3}[claim.metric]
        assert published.TABLE_5[claim.better][column] > published.TABLE_5[claim.worse][column], str(claim)


def test_networks_differ_in_what_the_tables_say(study: Study) -> None:
    runs = DptiRuns(study)
    for name, variant in VARIANTS.items():
        options, changes = runs.network(0, name).options, variant.changes.get("network", {})
        assert options.templates == changes.get("templates", "dynamic")
        assert options.weighting is changes.get("weighting", False)
        assert options.backbone == changes.get("backbone", "resnet50_slim")
    assert set(ROWS_OF_TABLE_5) == set(published.TABLE_5)
    assert ROWS_OF_TABLE_5["ResNet-50"] == "G + D + W"


def test_what_is_kept_is_not_computed_again(study: Study) -> None:
    runs = DptiRuns(study)
    runs.matched(0, "G + D", "partial")
    folder = study.checkpoint(0, "G+D").with_name("distances")
    assert "partial" in {file.stem for file in folder.iterdir()}
    assert {file.stem for file in folder.iterdir()} <= set(PROBE_SETS)


def test_shares_that_a_box_covers() -> None:
    assert covered((0.0, 0.0, 1.0, 1.0), (4, 2)).tolist() == [[1.0, 1.0]] * 4
    assert covered((0.25, 0.5, 1.0, 1.0), (2, 2)).tolist() == [[0.0, 0.0], [0.5, 1.0]]
    torch.testing.assert_close(covered((0.1, 0.2, 0.6, 0.9), (8, 4)).mean(), torch.tensor(0.35), atol=1e-2, rtol=0)


def test_hidden_parts_are_shares_and_ratios(study: Study) -> None:
    share, ratio = DptiRuns(study).hidden_parts(0, "G + D")
    probes = len(study.people(0).probes("occluded_query"))
    assert share.shape == ratio.shape == (probes, 8)
    assert ((share >= 0) & (share <= 1 + 1e-6)).all()
    assert np.isfinite(ratio).all()
    assert (ratio > 0).all()
