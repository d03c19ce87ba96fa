"""Tables of distances: images embedded once for each embedding, the gallery in blocks, and rows derived from others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from reidops_models.matching import Embedding, Images, Matcher, MatchingError, distance_tables

PROBES = [torch.full((3, 4, 2), value) for value in (0.0, 0.5)]
GALLERY = [torch.full((3, 4, 2), value) for value in (0.0, 0.25, 1.0)]


class Means:
    """Compares the means of images, times a factor, and keeps a diary."""

    def __init__(self, name: str, kind: str, diary: list[str], factor: float = 1.0) -> None:
        self.name, self.kind, self.diary, self.factor = name, kind, diary, factor

    @property
    def embedding(self) -> Embedding:
        return Embedding(self.kind)

    def embed(self, images: Iterable[Tensor], *, role: str = "gallery", progress: bool = False) -> list[Tensor]:
        self.diary.append(f"{self.name} embeds {role}")
        return [image.mean() for image in images]

    def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
        self.diary.append(f"{self.name} compares")
        return self.factor * (torch.stack(list(probes))[:, None] - torch.stack(list(gallery))).abs()

    def explain(self, probe: Tensor, gallery: Tensor) -> None:
        return None


class Sum(Means):
    """The sum of two rows."""

    sources = ("a", "b")

    def combine(self, distances: Mapping[str, Tensor]) -> Tensor:
        self.diary.append(f"{self.name} combines")
        return distances["a"] + distances["b"]


def tables(matchers: Sequence[Matcher]) -> dict[str, Tensor]:
    found = distance_tables(matchers, Images.of(PROBES), Images.of(GALLERY))
    return {matcher.name: table[:] for matcher, table in found}


def test_one_embedding_serves_all_its_matchers_whatever_stands_between() -> None:
    diary: list[str] = []
    found = tables([Means("a", "mean", diary), Means("x", "other", diary), Means("b", "mean", diary, 2.0)])
    assert diary == [
        "a embeds probe", "a embeds gallery", "a compares", "b compares",
        "x embeds probe", "x embeds gallery", "x compares",
    ]  # fmt: skip
    assert list(found) == ["a", "x", "b"]
    assert found["a"].tolist() == [[0, 0.25, 1], [0.5, 0.25, 0.5]]
    assert torch.equal(found["b"], 2 * found["a"])


def test_a_derived_row_is_made_from_the_rows_before_it() -> None:
    diary: list[str] = []
    found = tables([Means("a", "mean", diary), Means("b", "mean", diary, 2.0), Sum("sum", "both", diary)])
    assert diary[-1] == "sum combines"
    assert "sum compares" not in diary
    assert torch.equal(found["sum"], 3 * found["a"])


def test_a_derived_row_without_its_sources_is_computed() -> None:
    diary: list[str] = []
    found = distance_tables(
        [Means("a", "mean", diary), Sum("sum", "both", diary)], Images.of(PROBES), Images.of(GALLERY)
    )
    assert [matcher.name for matcher, _ in found] == ["a", "sum"]
    assert diary[-1] == "sum compares"


def test_an_error_names_its_matcher() -> None:
    class Failing(Means):
        def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
            raise ValueError("no block fits")

    with pytest.raises(MatchingError, match="worse: no block fits"):
        tables([Means("fine", "mean", []), Failing("worse", "mean", [])])

    class Uncombined(Sum):
        def combine(self, distances: Mapping[str, Tensor]) -> Tensor:
            raise ValueError("other units")

    with pytest.raises(MatchingError, match="both: other units"):
        tables([Means("a", "mean", []), Means("b", "mean", []), Uncombined("both", "both", [])])


def test_embeddings_of_two_networks_differ() -> None:
    one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    assert Embedding("vector", one, ((8, 4),)) == Embedding("vector", one, ((8, 4),))
    assert Embedding("vector", one) != Embedding("vector", other)
    assert Embedding("vector", one, ((8, 4),)) != Embedding("vector", one, ((4, 8),))


# --- within a bound of memory ----------------------------------------------------------------------------------------


class Described(NamedTuple):
    """What a paper may keep of an image: nothing that torch knows as one tensor."""

    pixels: Tensor
    mean: Tensor


class Wide(Means):
    """Features of 96 KB an image; notes how many images `embed` gets, and how many are compared at a time."""

    def embed(self, images: Iterable[Tensor], *, role: str = "gallery", progress: bool = False) -> list[Described]:
        batch = torch.stack(list(images))
        self.diary.append(f"{role} {len(batch)}")
        return [Described(row, row.mean()) for row in batch.repeat(1, 1, 32, 32)]

    def distances(self, probes: Sequence[Described], gallery: Sequence[Described], *, progress: bool = False) -> Tensor:
        self.diary.append(f"{len(probes)} x {len(gallery)}")
        left, right = (torch.stack([one.mean for one in side]) for side in (probes, gallery))
        return self.factor * (left[:, None] - right).abs()


class Whole(Wide):
    joint = True


@pytest.fixture
def many() -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    probes, gallery = torch.rand(50, 3, 4, 2, generator=generator), torch.rand(90, 3, 4, 2, generator=generator)
    return list(probes), list(gallery)


@pytest.mark.parametrize("memory", [4 << 20, 8 << 20, 1 << 30])
def test_any_memory_gives_the_same_distances(many: tuple[list[Tensor], list[Tensor]], memory: int) -> None:
    diary: list[str] = []
    matchers = [Wide("a", "mean", diary), Whole("w", "whole", diary), Wide("b", "mean", diary, 3.0)]
    sides = [Images.of(side) for side in many]
    found = {matcher.name: table for matcher, table in distance_tables(matchers, *sides, memory=memory)}
    left, right = (torch.stack([image.mean() for image in side]) for side in many)
    expected = (left[:, None] - right).abs()
    for name, factor in (("a", 1.0), ("b", 3.0), ("w", 1.0)):
        torch.testing.assert_close(found[name][:], factor * expected)
        torch.testing.assert_close(torch.from_numpy(np.asarray(found[name])), factor * expected)
        torch.testing.assert_close(found[name][7], factor * expected[7])
        torch.testing.assert_close(found[name][-1], factor * expected[-1])
        blocks = list(found[name].blocks(memory=4 * 90 * 8))
        assert [rows for rows, _ in blocks][-1] == slice(48, 50)
        torch.testing.assert_close(torch.cat([block for _, block in blocks]), factor * expected)
    compared = [line.split(" x ") for line in diary if " x " in line]
    assert all(int(images) == 90 for _, images in compared) == (memory == 1 << 30)
    assert [line for line in diary if line.endswith("x 90")]  # the joint matcher got the whole gallery


def test_the_memory_is_kept(many: tuple[list[Tensor], list[Tensor]]) -> None:
    diary: list[str] = []
    (_, table), *_ = distance_tables([Wide("a", "mean", diary)], *(Images.of(side) for side in many), memory=8 << 20)
    image = 3 * 4 * 2 * 32 * 32 * 4  # bytes of its features
    for probes, images in (map(int, line.split(" x ")) for line in diary if " x " in line):
        assert images * image <= 2 << 20 or images == 16  # a quarter, or as few as are embedded at a time
        assert probes * image <= 1 << 20  # an eighth
    assert table.shape == (50, 90)


def test_a_matchers_own_memory_is_lowered() -> None:
    matcher = Means("a", "mean", [])
    matcher.memory_budget = 1 << 30  # type: ignore[attr-defined]
    list(distance_tables([matcher], Images.of(PROBES), Images.of(GALLERY), memory=1 << 20))
    assert matcher.memory_budget == 1 << 18  # type: ignore[attr-defined]


@pytest.mark.parametrize(("probes", "gallery"), [(0, 3), (2, 0), (0, 0)])
def test_empty_sides(probes: int, gallery: int) -> None:
    from reidops_models.matching.histogram import HistogramMatcher

    sides = Images.of(PROBES[:probes]), Images.of(GALLERY[:gallery])
    ((_, table),) = distance_tables([HistogramMatcher()], *sides)
    assert table.shape == table[:].shape == (probes, gallery)


def test_rows_are_read_in_order() -> None:
    ((_, table),) = distance_tables([Means("a", "mean", [])], Images.of(PROBES), Images.of(GALLERY))
    assert len(table) == 2
    assert table[1:1].shape == (0, 3)
    with pytest.raises(ValueError, match="got a step of 2"):
        table[::2]
    with pytest.raises(IndexError):
        table[2]
