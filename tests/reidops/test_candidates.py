"""``candidates=``: chosen pairs only, with the bits of the full table."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from reidops import dsr_distance, prepare_gallery
from tests.reidops.test_prepared_gallery import PURPOSES, ragged, together


def of_table(table: Tensor, candidates: Tensor) -> Tensor:
    beyond = torch.cat([table, torch.full((len(table), 1), torch.inf)], dim=1)
    return beyond.gather(1, torch.where(candidates < 0, table.shape[1], candidates))


@pytest.mark.parametrize("purpose", PURPOSES, ids=str)
@pytest.mark.parametrize("gallery", [ragged(9, seed=5), together(9, seed=5)], ids=["ragged", "together"])
@pytest.mark.parametrize("probe", [ragged(5), together(5)], ids=["ragged", "together"])
@pytest.mark.parametrize("prepared", [False, True], ids=["maps", "prepared"])
def test_they_have_the_bits_of_the_table(probe: Any, gallery: Any, purpose: dict[str, Any], prepared: bool) -> None:
    candidates = torch.randint(-1, 9, (5, 4), generator=torch.Generator().manual_seed(1))
    table, gaps = dsr_distance(probe, gallery, **purpose, return_gap=True)
    given = prepare_gallery(gallery, **purpose) if prepared else gallery
    distance, gap = dsr_distance(probe, given, candidates=candidates, return_gap=True, **({} if prepared else purpose))
    assert torch.equal(distance, of_table(table, candidates))
    assert torch.equal(gap, of_table(gaps, candidates).nan_to_num(posinf=0))


@settings(max_examples=25, deadline=None)
@given(data=st.data(), probes=st.integers(1, 4), images=st.integers(1, 6), width=st.integers(0, 5))
def test_any_pattern_any_budget(data: st.DataObject, probes: int, images: int, width: int) -> None:
    numbers = st.lists(st.integers(-1, images - 1), min_size=width, max_size=width)
    rows = data.draw(st.lists(numbers, min_size=probes, max_size=probes))
    candidates = torch.tensor(rows, dtype=torch.int64).reshape(probes, width)
    budget = data.draw(st.sampled_from([None, 1, 1 << 16]))
    probe, gallery = ragged(probes, 8), ragged(images, 8, seed=9)
    found = dsr_distance(probe, gallery, candidates=candidates, memory_budget=budget)
    assert torch.equal(found, of_table(dsr_distance(probe, gallery), candidates))


def test_groups_are_what_they_count() -> None:
    probe, gallery, groups = ragged(3), ragged(7, seed=5), [4, 2, 4, 4, 0, 2, 0]
    candidates = torch.tensor([[2, 0], [1, -1], [0, 0]])
    table = dsr_distance(probe, gallery, groups=groups)
    assert torch.equal(dsr_distance(probe, gallery, groups=groups, candidates=candidates), of_table(table, candidates))


def test_weights_and_half_types() -> None:
    probe, gallery, weight = together(3), together(5, seed=5), torch.rand(3, 4, 3)
    candidates = torch.tensor([[4, 0], [1, -1], [0, 2]])
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        given = probe.to(dtype), gallery.to(dtype)
        table = dsr_distance(*given, probe_weight=weight.to(dtype))
        found = dsr_distance(*given, probe_weight=weight.to(dtype), candidates=candidates)
        assert torch.equal(found, of_table(table, candidates).to(dtype))


@pytest.mark.parametrize("options", [{}, {"gradient": "implicit"}, {"method": "ridge"}], ids=str)
def test_gradients_are_those_of_the_table(options: dict[str, Any]) -> None:
    probe, gallery = together(3).double().requires_grad_(), together(5, seed=5).double().requires_grad_()
    candidates = torch.tensor([[4, 0], [1, -1], [0, 4]])
    options = {"tolerance": 1e-10, **options}
    weight = torch.rand(3, 2, dtype=torch.float64)
    values = of_table(dsr_distance(probe, gallery, **options), candidates)
    expected = torch.autograd.grad((weight * values)[candidates >= 0].sum(), (probe, gallery))
    values = dsr_distance(probe, gallery, candidates=candidates, **options)
    found = torch.autograd.grad((weight * values)[candidates >= 0].sum(), (probe, gallery))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_a_damaged_map_spoils_its_pairs_only() -> None:
    probe, gallery = together(3), together(5, seed=5)
    gallery[1, 0, 0, 0] = torch.nan
    candidates = torch.tensor([[4, 1], [1, -1], [0, 2]])
    found = dsr_distance(probe, gallery, candidates=candidates)
    assert torch.equal(found.isnan(), candidates == 1)
    assert bool(found[1, 1] == torch.inf)


@pytest.mark.parametrize(
    ("candidates", "error", "message"),
    [
        ([[0]], TypeError, r"candidates must be an int64 tensor of shape \(2, K\), got"),
        (torch.zeros(2, 1), TypeError, "candidates must be an int64 tensor"),
        (torch.zeros(3, 1, dtype=torch.int64), ValueError, r"candidates must be an int64 tensor of shape \(2, K\)"),
        (torch.tensor([[0, 1], [1, 5]]), ValueError, r"below 3, got 5 in candidates\[1, 1\]"),
        (torch.tensor([[0, -2], [1, 2]]), ValueError, r"below 3, got -2 in candidates\[0, 1\]"),
    ],
)
def test_refusals_name_the_argument(candidates: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=f"^dsr_distance: .*{message}"):
        dsr_distance(together(2), together(3), candidates=candidates)


def test_joint_has_no_candidates() -> None:
    with pytest.raises(ValueError, match="candidates must be left out for method 'joint'"):
        dsr_distance(together(2), together(3), method="joint", candidates=torch.zeros(2, 1, dtype=torch.int64))


def test_no_gallery_leaves_only_none() -> None:
    none = torch.full((2, 3), -1)
    assert bool((dsr_distance(together(2), together(0), candidates=none) == torch.inf).all())
    assert dsr_distance(together(2), together(3), candidates=none[:, :0]).shape == (2, 0)
