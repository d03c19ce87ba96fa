"""Tables of distances: images embedded once for each embedding, and rows derived from other rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pytest
import torch
from torch import Tensor

from reidops_models.matching import Embedding, Matcher, MatchingError, distance_tables

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
    return {matcher.name: found for matcher, found in distance_tables(matchers, lambda: PROBES, lambda: GALLERY)}


def test_one_embedding_serves_all_its_matchers_whatever_stands_between() -> None:
    diary: list[str] = []
    found = tables([Means("a", "mean", diary), Means("x", "other", diary), Means("b", "mean", diary, 2.0)])
    assert diary == [
        "a embeds probe", "a embeds gallery", "a compares",
        "x embeds probe", "x embeds gallery", "x compares",
        "b compares",
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
    assert list(tables([Means("a", "mean", diary), Sum("sum", "both", diary)])) == ["a", "sum"]
    assert diary[-1] == "sum compares"


def test_an_error_names_its_matcher() -> None:
    class Failing(Means):
        def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
            raise ValueError("no block fits")

    with pytest.raises(MatchingError, match="worse: no block fits"):
        tables([Failing("worse", "mean", [])])


def test_embeddings_of_two_networks_differ() -> None:
    one, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    assert Embedding("vector", one, ((8, 4),)) == Embedding("vector", one, ((8, 4),))
    assert Embedding("vector", one) != Embedding("vector", other)
    assert Embedding("vector", one, ((8, 4),)) != Embedding("vector", one, ((4, 8),))
