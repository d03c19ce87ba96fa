"""``dsr_topk``: what sorting the full table gives, which is never held."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from reidops import dsr_distance, dsr_topk, prepare_gallery
from tests.reidops.test_prepared_gallery import PURPOSES, ragged, together


@pytest.mark.parametrize("purpose", PURPOSES, ids=str)
@pytest.mark.parametrize("budget", [None, 1])
@pytest.mark.parametrize("gallery", [ragged(9, seed=5), together(9, seed=5)], ids=["ragged", "together"])
def test_it_is_the_sorted_table(gallery: Any, budget: int | None, purpose: dict[str, Any]) -> None:
    probe = ragged(4)
    expected = dsr_distance(probe, gallery, **purpose).sort(dim=1, stable=True)
    for k in (1, 4, 9):
        for given, options in ((gallery, purpose), (prepare_gallery(gallery, **purpose), {})):
            found = dsr_topk(probe, given, k, memory_budget=budget, **options)
            assert torch.equal(found.distances, expected.values[:, :k])
            assert torch.equal(found.indices, expected.indices[:, :k])


def test_ties_go_by_index() -> None:
    image, other = together(2, seed=5)
    gallery = [other, image, other[:, :3], image, other, image]  # of two sizes: they do not pass by in their order
    found = dsr_topk(image[None] + 0.1, gallery, 6)
    assert found.indices[0].tolist()[:3] == [1, 3, 5]
    assert found.distances[0, :3].unique().numel() == 1
    after = found.indices[0].tolist()[3:]
    assert after.index(0) < after.index(4)


def test_nan_comes_last() -> None:
    gallery = together(4, seed=5)
    gallery[1, 0, 0, 0] = torch.nan
    found = dsr_topk(together(2), gallery, 4)
    assert found.indices[:, 3].tolist() == [1, 1]
    assert bool(found.distances[:, 3].isnan().all())
    assert not bool(found.distances[:, :3].isnan().any())


def test_gradients_are_those_of_the_items_found() -> None:
    probe, gallery = together(3).double().requires_grad_(), together(5, seed=5).double().requires_grad_()
    found = dsr_topk(probe, gallery, 2, tolerance=1e-10)
    table = dsr_distance(probe, gallery, tolerance=1e-10)
    got = torch.autograd.grad(found.distances.sum(), (probe, gallery))
    expected = torch.autograd.grad(table.gather(1, found.indices).sum(), (probe, gallery))
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_it_never_holds_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """With bands of one dictionary no tensor of P x G is seen: what is merged has k + 1 columns."""
    widths: list[int] = []
    sort = Tensor.argsort

    def recorded(values: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        widths.append(values.shape[1])
        return sort(values, *args, **kwargs)

    monkeypatch.setattr(Tensor, "argsort", recorded)
    dsr_topk(together(3), together(20, seed=5), 2, memory_budget=1)
    assert widths
    assert max(widths) <= 3


def test_no_probes() -> None:
    found = dsr_topk(together(0), together(3), 2)
    assert found.distances.shape == found.indices.shape == (0, 2)
    assert found.indices.dtype == torch.int64


@pytest.mark.parametrize(
    ("k", "options", "error", "message"),
    [
        (0, {}, ValueError, "k must be an int >= 1, got 0"),
        (2.0, {}, TypeError, "k must be an int >= 1, got 2.0"),
        (4, {}, ValueError, "k must be at most the number of gallery items, 3, got 4"),
        (1, {"method": "joint"}, ValueError, "method must be 'lasso' or 'ridge', got 'joint'"),
        (1, {"beta": -1.0}, ValueError, "beta must be"),
        (1, {"precision": "int8"}, ValueError, "precision must be one of"),
    ],
)
def test_refusals_name_the_argument(k: Any, options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^dsr_topk: .*{message}"):
        dsr_topk(together(2), together(3), k, **options)
