"""What is special in the tables of the STNReID paper: what is compared with what."""

from __future__ import annotations

import pytest
import torch

import reidops
from reidops_models.reproduction import Study
from reidops_models.reproduction.stnreid import published
from reidops_models.reproduction.stnreid.experiments import LOCALISERS, PARTIAL, SETTINGS, STRONG, WHOLE, StnreidRuns
from reidops_models.reproduction.stnreid.tables import TABLES


def test_every_printed_number_stands_in_its_row(study: Study) -> None:
    rows = {row.name: row.published for row in TABLES["table3"](study).rows}
    assert {name: numbers for name, numbers in rows.items() if numbers} == published.TABLE_3
    printed = {row.name for row in TABLES["table4"](study).rows if row.published}
    others = {"Resizing model", "SWM", "AMC", "AMC+SWM", "DSR (CVPR18)"}  # methods of another network
    assert printed == set(published.TABLE_4) - others


def test_settings_differ_in_what_table_2_says(study: Study) -> None:
    runs = StnreidRuns(study)
    for variant, (pre_trained, smoothed, triplet) in SETTINGS.items():
        checkpoint = runs.checkpoint(0, variant)
        losses = {loss.name: loss for loss in checkpoint.recipe.losses}
        assert (losses["cross_entropy"].label_smoothing > 0) is smoothed
        assert ("triplet" in losses) is triplet
        assert ("start" in checkpoint.notes) is pre_trained


def test_the_pipeline_goes_on_from_the_merge(study: Study) -> None:
    runs = StnreidRuns(study)
    merged, trained = runs.network(0, f"{STRONG}+Ep1"), runs.network(0, "PM+Ep1")
    parts = [one.state_dict() for one in (merged, trained, runs.network(0, "Ep1"), runs.network(0, STRONG))]
    for name, value in parts[0].items():
        stn = name.startswith("localisation.")
        assert torch.equal(value, parts[2 if stn else 3][name])
        assert torch.equal(value, parts[1][name]) is stn


def test_the_true_box_of_a_probes_own_picture_shows_the_same_part_of_the_body(study: Study) -> None:
    from reidops_models.data.synthetic import load_annotations

    runs, search = StnreidRuns(study), study.search(0, PARTIAL)
    people = study.people(0)
    known = load_annotations(people.root)
    boxes = runs.true_boxes(0)
    for p, sample in list(enumerate(people.probes(PARTIAL)))[::7]:
        for g, index in list(enumerate(search.first_of_each))[::3]:
            x0, y0, x1, y1 = known[f"{PARTIAL}/{sample.path.name}"].person
            u0, v0, u1, v1 = known[f"bounding_box_test/{people.gallery[index].path.name}"].person
            left, top, right, bottom = boxes[p, g].tolist()
            # The probe's left edge, 0, lies at share (0 - x0) / (x1 - x0) of the body, and so does the box's.
            assert (left - u0) / (u1 - u0) == pytest.approx(-x0 / (x1 - x0), abs=1e-3)
            assert (bottom - v0) / (v1 - v0) == pytest.approx((1 - y0) / (y1 - y0), abs=1e-3)
            assert right > left
            assert bottom > top


def test_overlaps_are_of_the_right_pairs(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = StnreidRuns(study)
    assert 0.4 < runs.overlap_within(0) < 0.8  # of 20 to 60 % cut away, 40 to 80 % are left
    boxes = runs.true_boxes(0)
    monkeypatch.setattr(runs, "_thetas", lambda seed, variant: reidops.boxes_to_theta(boxes))
    assert runs.overlap_across(0, "true") == pytest.approx(1.0, abs=1e-5)
    monkeypatch.setattr(runs, "_thetas", lambda seed, variant: reidops.boxes_to_theta(boxes.roll(1, dims=1)))
    assert runs.overlap_across(0, "true") < 0.99  # another person's picture has another box


def test_every_localiser_is_tried_in_both_reid_modules(study: Study) -> None:
    names = [row.name for row in TABLES["localisers"](study).rows]
    assert len(names) == 2 * (len(LOCALISERS) + 2)
    assert {WHOLE, STRONG} == {"whole", "strong"}
