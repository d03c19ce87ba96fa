"""Galleries of every paper: what its matcher keeps of a picture is stored, whatever it is made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from reidops_models import Gallery, GalleryError, search
from reidops_models.gallery.features import Layout, Likeness, tensors_of
from reidops_models.matching import BlockMatcher
from reidops_models.retrieval.model import find_model

from .test_gallery import lists


@pytest.mark.parametrize(
    ("model", "columns", "descriptor"),
    [
        ("dsr", ["map"], 192),
        ("dpti", ["descriptor"], 576),
        ("mgre", ["descriptor"], 512),
        ("stnreid", ["feature_0", "descriptor"], 192),
        ("csn", [*(f"feature_{i}" for i in range(6)), "descriptor"], 256),
    ],
)
def test_a_gallery_of_every_paper_answers_as_a_search(
    model: str, columns: list[str], descriptor: int, people: Path, tmp_path: Path
) -> None:
    probes, folder = people / "partial_query", people / "query"
    gallery = Gallery.build(tmp_path / "people.lance", folder, model, dtype="float32")
    assert gallery.facts.layout.columns == columns
    assert gallery.facts.layout.descriptor == descriptor
    expected = search(probes, folder, model, top=5)
    assert lists(gallery.search(probes, top=5)) == lists(expected)
    halved = Gallery.build(tmp_path / "halved.lance", folder, model).search(probes, top=5)
    assert halved.method == expected.method
    for one, other in zip(halved, expected, strict=True):
        distances = [match.distance for match in one.matches]
        torch.testing.assert_close(distances, [match.distance for match in other.matches], rtol=5e-3, atol=1e-3)


def test_the_descriptor_of_a_map_is_its_average(people: Path, tmp_path: Path) -> None:
    gallery = Gallery.build(tmp_path / "people.lance", people / "query", "dsr", dtype="float32")
    table = gallery.store.dataset.to_table(columns=["map", "descriptor"])
    maps = torch.tensor(table["map"].to_pylist()).reshape(len(gallery), 192, 8, 4)
    assert torch.equal(torch.tensor(table["descriptor"].to_pylist()), maps.mean(dim=(2, 3)))


@dataclass(frozen=True)
class Described:
    """A dataclass of tensors and of tuples of them, as CSN's."""

    parts: tuple[Tensor, ...]
    count: Tensor


def test_features_are_rebuilt_as_they_were_made() -> None:
    made = [Described((torch.rand(2, 3), torch.rand(4)), torch.tensor([i])) for i in range(3)]
    layout = Layout.of(made[0], "float16")
    assert [(leaf.column, leaf.dtype) for leaf in layout.leaves] == [
        ("feature_0", "float16"),
        ("descriptor", "float16"),
        ("feature_2", "int64"),
    ]
    import pyarrow as pa

    columns = layout.write(made)
    batch = pa.record_batch([columns[name] for name in layout.columns], names=layout.columns)
    rebuilt = Likeness(made[0])(layout.read(batch.slice(1, 2)))
    for one, other in zip(rebuilt, made[1:], strict=True):
        assert isinstance(one, Described)
        for left, right in zip(tensors_of(one), tensors_of(other), strict=True):
            assert left.dtype == right.dtype
            assert torch.equal(left, right.half().to(right.dtype))


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        ("a string", r"^dsr: DSR multi-scale: a gallery cannot keep what is not made of tensors: str$"),
        ((), r"^dsr: DSR multi-scale: a gallery cannot keep what holds no tensor$"),
    ],
)
def test_a_paper_whose_embedding_cannot_be_kept_is_refused(
    feature: Any, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlockMatcher, "embed", lambda self, images, **_: [feature for _ in images])
    with pytest.raises(GalleryError, match=expected):
        Gallery.build(tmp_path / "people.lance", (), find_model("dsr"))
    assert not (tmp_path / "people.lance").exists()


def test_features_that_do_not_fit_are_refused() -> None:
    layout = Layout.of(torch.rand(2, 3, 4), "float16")
    with pytest.raises(GalleryError, match=r"features of one shape, \(2, 3, 4\), got \(2, 4, 4\)$"):
        layout.write([torch.rand(2, 3, 4), torch.rand(2, 4, 4)])
    with pytest.raises(GalleryError, match=r"^a feature is too large for float16: keep this gallery in float32$"):
        layout.write([torch.full((2, 3, 4), 1e6)])
