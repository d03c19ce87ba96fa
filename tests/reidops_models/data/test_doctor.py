from __future__ import annotations

from pathlib import Path

import pytest

from reidops_models.data import ReidDataset, Sample, describe, load_market1501, write_synthetic


def make_market(root="Market-1501-v15.09.15", train=12_936, query=3_368, gallery=15_913, junk=3_819) -> ReidDataset:
    def samples(count, people):
        return [Sample(Path(f"{i}.jpg"), 1 + i % people, 1 + i % 6) for i in range(count)]

    distractors = [Sample(Path("0.jpg"), 0, 1)] * 2_798
    others = distractors + samples(gallery - len(distractors), 750)
    splits = samples(train, 751), samples(query, 750), others
    return ReidDataset("market1501", Path(root), *splits, junk=junk, distractor=0)


def test_the_complete_data_set():
    assert describe(make_market()).splitlines() == [
        "market1501: Market-1501-v15.09.15",
        "  variant: Market-1501 (v15.09.15), all counts as published",
        "  train: 12936 images, 751 identities, 6 cameras",
        "  query: 3368 images, 750 identities, 6 cameras",
        "  gallery: 15913 images, 751 identities, 6 cameras",
        "  of the gallery, 2798 distractors (identity 0)",
        "  left out of the gallery: 3819 junk files (identity -1)",
    ]


def test_without_junk():
    assert "without its junk files; all other counts as published" in describe(make_market("anywhere", junk=0))


@pytest.mark.parametrize("root", ["Market-1501-v15.09.15", "renamed"])
def test_an_incomplete_copy(root):
    lines = describe(make_market(root, train=12_000)).splitlines()
    assert lines[1] == "  variant: Market-1501 (v15.09.15), with other counts than published"
    assert lines[2] == "  wrong: train has 12000, published 12936"


def test_own_data():
    text = describe(make_market("mine", 10, 5, 2_800, 0))
    assert "variant: own data in Market-1501 layout" in text
    assert "wrong" not in text


def test_drawn_people(tmp_path):
    root = write_synthetic(tmp_path / "people", "tiny", workers=1)
    text = describe(load_market1501(root))
    assert "variant: drawn people, size tiny, seed 0, test split" in text
    assert "variant: drawn people, size tiny, seed 0, validation split" in text
    assert "wrong" not in text
    next((root / "partial_query").iterdir()).unlink()
    assert "wrong: partial_query has 23, drawn 24" in describe(load_market1501(root))


@pytest.mark.parametrize("text", ["[]", "{", '{"format": "coco", "size": 1, "seed": 0, "plan": {}, "split": ""}'])
def test_annotations_of_somebody_else_do_not_matter(tmp_path, text):
    root = write_synthetic(tmp_path / "people", "tiny", workers=1)
    (root / "annotations.json").write_text(text)
    assert "variant: own data in Market-1501 layout" in describe(load_market1501(root))
