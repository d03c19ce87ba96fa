"""Foreground weights, one dictionary a person, and one for all: against loops written from the definitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from reidops import dsr_distance, reference, sparse_reconstruct
from tests.reidops.features import generator, relu_maps

PROBES = ((5, 4), (3, 2), (1, 1), (3, 2))
GALLERY = ((4, 3), (4, 3), (2, 5), (4, 3), (1, 2), (3, 3))
LABELS = (7, -2, 7, 3, 3, 7)
TIGHT = {"tolerance": 1e-12}


def ragged(shapes: Sequence[tuple[int, int]], channels: int = 16, seed: int = 0) -> list[Tensor]:
    return [relu_maps(1, channels, *shape, seed=seed + i)[0] for i, shape in enumerate(shapes)]


def weights_of(probe: Sequence[Tensor], seed: int = 5) -> list[Tensor]:
    random = generator(seed)
    return [torch.rand(one.shape[1:], generator=random, dtype=torch.float64) for one in probe]


# --- weights --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["lasso", "ridge", "joint"])
@pytest.mark.parametrize("scales", [(1,), (1, 2, 3)], ids=str)
def test_blocks_count_by_their_weights(method: str, scales: tuple[int, ...]) -> None:
    probe, gallery = ragged(PROBES), ragged(GALLERY, seed=10)
    options: dict[str, Any] = {"scales": scales, "method": method, "probe_weight": weights_of(probe)}
    expected = reference.dsr_distance(probe, gallery, **options)
    assert_close(dsr_distance(probe, gallery, **options, **TIGHT), expected, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("scales", [(1,), (1, 2)], ids=str)
def test_equal_weights_are_no_weights(scales: tuple[int, ...]) -> None:
    probe, gallery = relu_maps(3, 16, 4, 3), relu_maps(2, 16, 5, 3, seed=1)
    for weight in (1.0, 0.25):
        weighted = dsr_distance(probe, gallery, scales=scales, probe_weight=torch.full((3, 4, 3), weight).double())
        assert_close(weighted, dsr_distance(probe, gallery, scales=scales), rtol=1e-12, atol=0)


def test_what_has_no_weight_does_not_count() -> None:
    probe, gallery = relu_maps(1, 16, 6, 3), relu_maps(2, 16, 5, 3, seed=1)
    mask = torch.zeros(1, 6, 3, dtype=torch.float64)
    mask[:, 2:] = 1
    assert_close(dsr_distance(probe, gallery, probe_weight=mask), dsr_distance(probe[:, :, 2:], gallery))


def test_gradients_go_to_the_weights_too() -> None:
    probe, gallery = relu_maps(2, 8, 3, 2).requires_grad_(), relu_maps(2, 8, 3, 3, seed=1)
    weight = torch.rand(2, 3, 2, dtype=torch.float64, generator=generator(2)).add(0.1).requires_grad_()
    torch.autograd.gradcheck(
        lambda p, m: dsr_distance(p, gallery, probe_weight=m, scales=(1, 2), gradient="implicit", tolerance=1e-13),
        (probe, weight),
    )


def test_a_probe_without_weight_has_no_distance_and_spoils_no_other() -> None:
    probe, gallery = relu_maps(3, 16, 4, 3), relu_maps(2, 16, 5, 3, seed=1)
    weight = torch.ones(3, 4, 3, dtype=torch.float64)
    weight[1] = 0
    distances = dsr_distance(probe, gallery, probe_weight=weight)
    assert distances[1].isnan().all()
    assert distances[[0, 2]].isfinite().all()


# --- groups ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["lasso", "ridge", "joint"])
@pytest.mark.parametrize("scales", [(1,), (1, 2), (2, 1)], ids=str)
def test_images_of_a_label_share_what_they_know(method: str, scales: tuple[int, ...]) -> None:
    probe, gallery = ragged(PROBES), ragged(GALLERY, seed=10)
    options: dict[str, Any] = {"scales": scales, "method": method, "groups": LABELS}
    expected = reference.dsr_distance(probe, gallery, **options)
    assert expected.shape == (4, 3)
    assert_close(dsr_distance(probe, gallery, **options, **TIGHT), expected, rtol=1e-6, atol=1e-10)
    single = dsr_distance([p.float() for p in probe], [g.float() for g in gallery], **options)
    assert_close(single.double(), expected, rtol=5e-4, atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(labels=st.lists(st.integers(-3, 3), min_size=1, max_size=6), stacked=st.booleans())
def test_any_labels(labels: list[int], stacked: bool) -> None:
    probe = ragged(((2, 2), (3, 1)))
    gallery = relu_maps(len(labels), 16, 2, 3, seed=4) if stacked else ragged(GALLERY[: len(labels)], seed=4)
    expected = reference.dsr_distance(probe, gallery, groups=labels)
    assert_close(dsr_distance(probe, gallery, groups=labels, **TIGHT), expected, rtol=1e-6, atol=1e-10)
    assert_close(dsr_distance(probe, gallery, groups=torch.tensor(labels), **TIGHT), expected, rtol=1e-6, atol=1e-10)


def test_more_images_never_rebuild_worse() -> None:
    probe, gallery = relu_maps(4, 16, 3, 3), relu_maps(3, 16, 4, 3, seed=1)
    columns, atoms = probe.flatten(2), gallery.transpose(0, 1).flatten(1)
    together = sparse_reconstruct(columns, atoms, tolerance=1e-12)
    singly = sparse_reconstruct(columns[:, None], gallery.flatten(2), tolerance=1e-12)
    objectives = [one.error + 0.4 * one.coefficients.abs().sum(-2) for one in (together, singly)]
    assert (objectives[0][:, None] <= objectives[1] + 1e-9).all()
    assert_close(dsr_distance(probe, gallery, groups=[0, 0, 0], **TIGHT)[:, 0], together.error.mean(-1))


# --- one dictionary for all -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scales", [(1,), (1, 2, 3)], ids=str)
def test_joint_leaves_each_image_its_own_coefficients(scales: tuple[int, ...]) -> None:
    probe, gallery = ragged(PROBES), ragged(GALLERY, seed=10)
    expected = reference.dsr_distance(probe, gallery, scales=scales, method="joint")
    assert_close(dsr_distance(probe, gallery, scales=scales, method="joint", **TIGHT), expected, rtol=1e-6, atol=1e-10)


def test_joint_with_one_image_is_the_lasso() -> None:
    probe, gallery = relu_maps(3, 16, 4, 3), relu_maps(1, 16, 5, 3, seed=1)
    assert_close(dsr_distance(probe, gallery, method="joint"), dsr_distance(probe, gallery), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["joint", "lasso"])
def test_tiles_and_order_never_change_a_value(method: str) -> None:
    probe, gallery = ragged(PROBES), ragged(GALLERY, seed=10)
    options: dict[str, Any] = {"method": method, "groups": LABELS, "probe_weight": weights_of(probe)}
    whole = dsr_distance(probe, gallery, **options, **TIGHT)
    tiny = dsr_distance(probe, gallery, **options, **TIGHT, memory_budget=1)
    assert_close(tiny, whole, rtol=1e-9, atol=1e-12)
    turned = dsr_distance(
        probe[::-1],
        gallery[::-1],
        method=method,
        groups=LABELS[::-1],
        probe_weight=options["probe_weight"][::-1],
        **TIGHT,
    )
    assert_close(turned.flip(0)[:, [0, 2, 1]], whole, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["joint", "lasso", "ridge"])
def test_gradients_are_eq_7(method: str) -> None:
    probe, gallery = relu_maps(2, 8, 2, 2).requires_grad_(), relu_maps(3, 8, 2, 3, seed=1).requires_grad_()
    distances = dsr_distance(probe, gallery, method=method, groups=[1, 2, 1], **TIGHT)
    given = torch.autograd.grad(distances.sum(), (probe, gallery))

    x = probe.flatten(2)
    members = ([0, 2], [1])
    atoms = [gallery[i].transpose(0, 1).flatten(1) for i in members]
    if method == "joint":
        w = sparse_reconstruct(x, torch.cat(atoms, dim=1), **TIGHT).coefficients.detach().split([12, 6], dim=1)
    else:
        w = [sparse_reconstruct(x, y, method=method, **TIGHT).coefficients.detach() for y in atoms]
    value = sum(((x - y @ one).square().sum(1)).mean(1).sum() for y, one in zip(atoms, w, strict=True))
    for one, other in zip(given, torch.autograd.grad(value, (probe, gallery)), strict=True):
        assert_close(one, other, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["joint", "lasso"])
def test_bad_data_stays_where_it_must(method: str) -> None:
    probe, gallery = relu_maps(2, 16, 3, 2), relu_maps(3, 16, 3, 3, seed=1)
    clean = dsr_distance(probe, gallery, method=method, groups=[0, 1, 0])
    probe[0, 0, 0, 0] = torch.nan
    spoilt = dsr_distance(probe, gallery, method=method, groups=[0, 1, 0])
    assert spoilt[0].isnan().all()
    assert_close(spoilt[1], clean[1], rtol=0, atol=0)
    gallery[1, 0, 0, 0] = torch.inf
    spoilt = dsr_distance(probe, gallery, method=method, groups=[0, 1, 0])
    assert spoilt[1].isnan().tolist() == ([True, True] if method == "joint" else [False, True])


def test_progress_counts_pairs_of_groups(capsys: pytest.CaptureFixture[str]) -> None:
    for method in ("lasso", "joint"):
        dsr_distance(relu_maps(2, 8, 3, 2), relu_maps(3, 8, 3, 2), method=method, groups=[1, 2, 1], progress=True)
        assert "4/4" in capsys.readouterr().err


@pytest.mark.parametrize("method", ["joint", "lasso", "ridge"])
def test_empty_sides(method: str) -> None:
    some, none = relu_maps(2, 8, 3, 2), torch.empty(0, 8, 3, 2, dtype=torch.float64)
    assert dsr_distance(none, some, method=method, groups=[5, 5]).shape == (0, 1)
    assert dsr_distance(some, none, method=method, groups=[]).shape == (2, 0)
    assert dsr_distance(some, [], method=method).shape == (2, 0)
    assert dsr_distance([], some, method=method, probe_weight=[]).shape == (0, 2)


PROBE, GALLERY_MAPS = torch.rand(2, 4, 3, 2), torch.rand(3, 4, 3, 2)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"groups": [1, 2]}, ValueError, "groups must be one integer for each of 3 gallery images, got 2"),
        ({"groups": [1, 2, 0.5]}, TypeError, "groups must be one integer for each of 3"),
        ({"groups": torch.rand(3)}, TypeError, "groups must be one integer for each of 3"),
        ({"groups": 3}, TypeError, "groups must be one integer for each of 3"),
        ({"probe_weight": torch.rand(2, 3, 3)}, ValueError, r"probe_weight must have the size of probe, \(3, 2\)"),
        (
            {"probe_weight": list(torch.rand(2, 3, 3))},
            ValueError,
            r"probe_weight\[0\] must have the size of probe\[0\]",
        ),
        ({"probe_weight": torch.rand(3, 3, 2)}, ValueError, "probe_weight must have a map for each of 2 probes, got 3"),
        ({"probe_weight": torch.rand(2, 3, 2).double()}, TypeError, "probe_weight must have probe's dtype"),
        ({"probe_weight": torch.ones(2, 3, 2, dtype=torch.int64)}, TypeError, "probe_weight must be float32"),
        ({"probe_weight": 1.0}, TypeError, r"probe_weight must be a tensor \(P, h, w\)"),
        ({"method": "joint", "gradient": "implicit"}, ValueError, "gradient must be 'constant' for method 'joint'"),
        ({"method": "joint", "beta": -1.0}, ValueError, "beta must be a finite number >= 0, got -1.0"),
        ({"method": "src"}, ValueError, "method must be one of 'lasso', 'ridge', 'joint'"),
    ],
)
def test_refusals_name_the_argument(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=f"dsr_distance: {words}"):
        dsr_distance(PROBE, GALLERY_MAPS, **changes)
