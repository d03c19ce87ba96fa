from __future__ import annotations

import pytest

from reidops_models.data import DatasetError, describe, load_folder, load_market1501, parse_market1501_name

QUERY = ["0002_c1s1_000451_03.jpg", "0001_c2s1_000301_00.jpg"]
GALLERY = ["-1_c1s1_000401_03.jpg", "0000_c1s1_000151_01.jpg", "0001_c1s1_001051_00.jpg", "0002_c6s3_000022_01.jpg"]


def write_market(root, **folders):
    """Empty files: a loader looks at names only."""
    for folder, names in (
        {"bounding_box_train": ["0007_c3s1_000001_01.jpg"], "query": QUERY, "bounding_box_test": GALLERY} | folders
    ).items():
        if names is not None:
            (root / folder).mkdir(parents=True)
            for name in names:
                (root / folder / name).touch()
    return root


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("0002_c1s1_000451_03.jpg", (2, 1)),
        ("-1_c6s3_000451_03.jpg", (-1, 6)),
        ("0000_c2s1_000451_03.jpg.png", (0, 2)),
        ("0001_c2_f0046182.jpg", (1, 2)),
        ("1501_c12s4_1.png", (1501, 12)),
        ("0002c1s1.jpg", None),
        ("x0002_c1s1_000451_03.jpg", None),
        ("-2_c1s1_000451_03.jpg", None),
        ("holiday.jpg", None),
    ],
)
def test_names(name, parsed):
    assert parse_market1501_name(name) == parsed


def test_the_three_folders(tmp_path):
    dataset = load_market1501(write_market(tmp_path))
    assert [(s.pid, s.camid) for s in dataset.query] == [(1, 2), (2, 1)]  # sorted by file name
    assert [(s.pid, s.camid) for s in dataset.gallery] == [(0, 1), (1, 1), (2, 6)]  # junk dropped, distractor kept
    assert dataset.junk == 1
    assert [s.path.name for s in dataset.train] == ["0007_c3s1_000001_01.jpg"]
    assert dataset.probe_sets == ("query",)
    assert dataset.validation is None


def test_identity_0_are_distractors_unless_somebody_is_searched_for_by_it(tmp_path):
    assert load_market1501(write_market(tmp_path / "as_published")).distractor == 0
    own = {"from_0": {"query": ["0000_c2s1_000001_00.jpg"]}, "probes": {"partial_query": ["0000_c2s1_000001_00.jpg"]}}
    own["trained_on"] = {"bounding_box_train": ["0000_c2s1_000001_00.jpg"]}
    for name, folders in own.items():
        dataset = load_market1501(write_market(tmp_path / name, **folders))
        assert dataset.distractor is None
        assert "(identity 0)" not in describe(dataset)


def test_folders_inside_the_folders_are_read(tmp_path):
    flat = load_market1501(write_market(tmp_path / "flat", partial_query=QUERY[:1]))
    root = write_market(tmp_path / "nested", partial_query=QUERY[:1])
    for path in [*root.glob("query/0001*"), *root.glob("partial_query/*"), *root.glob("bounding_box_t*/*")]:
        person = path.parent / path.name.partition("_")[0]
        person.mkdir(exist_ok=True)
        path.rename(person / path.name)
    nested = load_market1501(root)
    for probes in flat.probe_sets:
        assert sorted(s.path.name for s in nested.probes(probes)) == sorted(s.path.name for s in flat.probes(probes))
    assert sorted(s.path.name for s in nested.gallery) == sorted(s.path.name for s in flat.gallery)
    assert [s.path.name for s in nested.train] == [s.path.name for s in flat.train]
    assert nested.junk == flat.junk


def test_extra_probe_sets_and_validation(tmp_path):
    root = write_market(tmp_path, partial_query=QUERY[:1], gt_query=["0001_c1s1_001051_00_good.mat"])
    write_market(root / "validation", bounding_box_train=None)
    dataset = load_market1501(root)
    assert dataset.probe_sets == ("query", "partial_query")
    assert [s.pid for s in dataset.probes("partial_query")] == [2]
    assert dataset.validation is not None
    assert dataset.validation.train == []
    assert len(dataset.validation.query) == 2
    with pytest.raises(DatasetError, match="no probe set 'occluded_query'; this data set has query, partial_query"):
        dataset.probes("occluded_query")


def test_finds_the_official_folder_below(tmp_path):
    write_market(tmp_path / "Market-1501-v15.09.15")
    assert load_market1501(tmp_path).root == tmp_path / "Market-1501-v15.09.15"


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        ({"query": None}, "query: no such folder"),
        ({"bounding_box_test": None}, "bounding_box_test: no such folder"),
        ({"query": []}, "query: no image files in this folder"),
        ({"query": ["readme.jpg"]}, r"readme.jpg: expected a name such as 0002_c1s1_000451_03.jpg"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, folders, message):
    with pytest.raises(DatasetError, match=message):
        load_market1501(write_market(tmp_path, **folders))


def test_a_missing_root(tmp_path):
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        load_market1501(tmp_path / "nowhere")


def test_own_images_need_no_names(tmp_path):
    write_market(tmp_path, query=["holiday.jpg", "0003_c1s1_000001_00.jpg"])
    assert [(s.path.name, s.pid, s.camid) for s in load_folder(tmp_path / "query")] == [
        ("0003_c1s1_000001_00.jpg", 3, 1),
        ("holiday.jpg", -1, -1),
    ]
    assert len(load_folder(tmp_path, recursive=True)) == 7
    with pytest.raises(DatasetError, match="no image files"):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    "name", ["9" * 19 + "_c1s1_000451_03.jpg", "0002_c" + "9" * 19 + ".jpg", "٣_c1.jpg", "3_c٣.jpg"]
)
def test_labels_are_digits_that_fit_into_64_bits(name):
    assert parse_market1501_name(name) is None
