"""``precision=``: maps rounded to a half type, and a gap that counts it; half maps, which are not rounded."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reidops import dsr_distance, prepare_gallery, sparse_reconstruct
from tests.reidops.certificate import judge
from tests.reidops.test_prepared_gallery import ragged, together

HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("beta", [0.4, 0.05])
def test_the_gap_counts_the_rounding(precision: str, beta: float) -> None:
    """The weights of the rounded maps, in the objective of the maps: it is within the gap of the optimum."""
    probe, gallery = together(4, 96), together(5, 96, seed=5)
    _, gap = dsr_distance(probe, gallery, beta, precision=precision, return_gap=True)
    x, y = (maps.flatten(2).double() for maps in (probe, gallery))
    rounded = [maps.to(HALVES[precision]).flatten(2).double() for maps in (probe, gallery)]
    worst = torch.zeros(4, 5, dtype=torch.float64)
    for p in range(4):
        for g in range(5):
            w = sparse_reconstruct(rounded[0][p], rounded[1][g], beta, tolerance=1e-9).coefficients
            best = sparse_reconstruct(x[p], y[g], beta, tolerance=1e-9).coefficients
            reached, least = (judge(x[p], y[g], one, beta).primal for one in (w, best))
            worst[p, g] = ((reached - least) / reached).max()
    assert bool((worst <= gap).all())
    assert bool((gap < 1).all())
    assert bool((gap > 1e-4).all())  # it does say that maps were rounded


@pytest.mark.parametrize("precision", HALVES)
def test_it_is_the_distance_of_the_rounded_maps(precision: str) -> None:
    probe, gallery, dtype = ragged(3), ragged(5, seed=5), HALVES[precision]
    found = dsr_distance(probe, gallery, precision=precision, tolerance=1e-9)
    rounded = [[one.to(dtype).float() for one in maps] for maps in (probe, gallery)]
    assert found.dtype == torch.float32
    # ||Y(w - w*)||^2 is at most the gap of the objective, so that an error moves by 2 (1e-9)^1/2 of it.
    torch.testing.assert_close(found, dsr_distance(*rounded, tolerance=1e-9), rtol=7e-5, atol=0)
    candidates = torch.tensor([[4, 0], [1, -1], [0, 2]])
    chosen = dsr_distance(probe, gallery, precision=precision, candidates=candidates, tolerance=1e-9)
    assert torch.equal(chosen[0], found[0, candidates[0]])
    assert torch.equal(dsr_distance(probe, prepare_gallery(gallery), precision=precision, tolerance=1e-9), found)


@pytest.mark.parametrize("precision", HALVES)
@pytest.mark.parametrize("scales", [(1,), (2,)], ids=str)
def test_the_gram_matrix_is_that_of_the_rounded_blocks(precision: str, scales: tuple[int, ...]) -> None:
    """Products and Gram matrices are those of half maps, to the bit. The solver believes both at this tolerance."""
    probe, gallery, dtype = together(3), together(5, seed=5), HALVES[precision]
    expected = dsr_distance(probe.to(dtype), gallery.to(dtype), scales=scales)
    for given in (gallery, prepare_gallery(gallery, scales=scales)):
        assert torch.equal(dsr_distance(probe, given, scales=scales, precision=precision).to(dtype), expected)


@pytest.mark.parametrize(("probe_dtype", "storage"), [("float16", "float32"), ("float16", "bfloat16")])
def test_rounding_of_one_side_is_counted_too(probe_dtype: str, storage: str) -> None:
    probe = together(3).to(getattr(torch, probe_dtype))
    dictionaries = prepare_gallery(together(5, seed=5), storage=getattr(torch, storage))
    assert bool((dsr_distance(probe, dictionaries, precision="bfloat16", return_gap=True).gap > 1e-3).all())
    assert bool((dsr_distance(probe, dictionaries, return_gap=True).gap <= 1.01e-4).all())  # widened, not rounded


def test_maps_of_two_dtypes_under_autocast_are_not_rounded() -> None:
    probe, gallery = ragged(3), ragged(5, seed=5)
    mixed = [one.bfloat16() if i == 0 else one for i, one in enumerate(gallery)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = dsr_distance([probe[0].bfloat16(), *probe[1:]], mixed)
    expected = dsr_distance([probe[0].bfloat16().float(), *probe[1:]], [one.float() for one in mixed])
    assert torch.equal(found, expected)


@pytest.mark.parametrize("dtype", HALVES.values())
def test_half_maps_are_certified_as_they_are(dtype: torch.dtype) -> None:
    probe, gallery = together(3).to(dtype), together(5, seed=5).to(dtype)
    distance, gap = dsr_distance(probe, gallery, return_gap=True)
    assert bool((gap <= 1.01e-4).all())  # rounded to the dtype of the maps
    wide = dsr_distance(probe.float(), gallery.float())
    torch.testing.assert_close(distance, wide.to(dtype), rtol=2 * torch.finfo(dtype).eps, atol=0)


def test_ridge_is_in_float64_whatever_is_asked() -> None:
    probe, gallery = together(3), together(5, seed=5)
    expected = dsr_distance(probe, gallery, method="ridge")
    assert torch.equal(dsr_distance(probe, gallery, method="ridge", precision="bfloat16"), expected)


def test_float64_maps_are_not_rounded() -> None:
    maps: Tensor = together(2).double()
    with pytest.raises(ValueError, match="dsr_distance: precision must be 'float32' for float64 maps, got 'bfloat16'"):
        dsr_distance(maps, maps, precision="bfloat16")
