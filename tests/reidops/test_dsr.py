"""dsr_distance: against the paper told pair by pair, whatever the sizes, the tiles and the budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from reidops import dsr_distance, reference, sparse_reconstruct
from reidops._dsr import blocks
from reidops._dsr.tiles import Bytes, chunks, plan
from tests.reidops.features import relu_maps

PROBES = ((5, 4), (3, 2), (1, 1), (3, 2))
GALLERY = ((8, 3), (6, 4), (2, 5), (8, 3), (1, 2))


def ragged(shapes: Sequence[tuple[int, int]], channels: int = 16, seed: int = 0) -> list[Tensor]:
    return [relu_maps(1, channels, *shape, seed=seed + i)[0] for i, shape in enumerate(shapes)]


# --- values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["lasso", "ridge"])
@pytest.mark.parametrize("scales", [(1,), (1, 2, 3), (2, 1)], ids=str)
def test_it_is_the_papers_distance(method: str, scales: tuple[int, ...]) -> None:
    probe, gallery = ragged(PROBES), ragged(GALLERY, seed=10)
    expected = reference.dsr_distance(probe, gallery, scales=scales, method=method)
    assert_close(
        dsr_distance(probe, gallery, scales=scales, method=method, tolerance=1e-12), expected, rtol=1e-6, atol=1e-10
    )
    singly = dsr_distance([p.float() for p in probe], [g.float() for g in gallery], scales=scales, method=method)
    assert_close(singly.double(), expected, rtol=2e-4, atol=1e-6)


def test_eq_4_is_the_mean_error_of_the_blocks() -> None:
    probe, gallery = relu_maps(2, 32, 4, 3).float(), relu_maps(3, 32, 5, 4, seed=1).float()
    error = sparse_reconstruct(probe[:, None].flatten(3), gallery.flatten(2)).error
    assert_close(dsr_distance(probe, gallery), error.mean(-1))


def test_multi_scale_is_one_set_of_pooled_blocks() -> None:
    probe, gallery = relu_maps(2, 32, 6, 3).float(), relu_maps(3, 32, 5, 4, seed=1).float()

    def pooled(maps: Tensor) -> Tensor:
        return torch.cat([torch.nn.functional.avg_pool2d(maps, k, 1).flatten(2) for k in (1, 2, 3)], dim=2)

    error = sparse_reconstruct(pooled(probe)[:, None], pooled(gallery)).error
    assert_close(dsr_distance(probe, gallery, scales=(1, 2, 3)), error.mean(-1), rtol=2e-4, atol=0)


def test_block_set_of_the_paper() -> None:
    assert blocks.count(16, 8, (1, 2, 3)) == 128 + 105 + 84 == 317
    assert blocks.count(2, 5, (1, 2, 3)) == 10 + 4
    assert blocks.pool(torch.rand(4, 7, 128), 16, 8, (1, 2, 3)).shape == (4, 7, 317)


def test_a_scale_that_does_not_fit_is_left_out_of_that_map() -> None:
    probe, gallery = ragged([(2, 2), (4, 4)]), ragged([(5, 4), (1, 6)], seed=5)
    both = dsr_distance(probe, gallery, scales=(1, 3))
    assert_close(both[:1, 1:], dsr_distance(probe[:1], gallery[1:]))
    assert_close(both[:1, :1], dsr_distance(probe[:1], gallery[:1], scales=(1, 3)))


def test_an_image_is_nearest_to_itself() -> None:
    maps = relu_maps(6, 64, 6, 4).float()
    assert torch.equal(dsr_distance(maps, maps).argmin(1), torch.arange(6))


def test_distance_of_pooled_blocks_keeps_its_digits_where_it_is_small() -> None:
    gallery = relu_maps(1, 64, 6, 4)
    arguments: dict[str, Any] = {"beta": 1e-3, "scales": (1, 2)}
    exact = reference.dsr_distance(gallery.float(), gallery.float(), **arguments)
    assert float(exact) < 1e-5
    assert_close(dsr_distance(gallery.float(), gallery.float(), **arguments).double(), exact, rtol=5e-3, atol=0)


# --- tiles ----------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(
    probes=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4)), min_size=1, max_size=4),
    images=st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4)), min_size=1, max_size=5),
    scales=st.sampled_from([(1,), (1, 2, 3)]),
    method=st.sampled_from(["lasso", "ridge"]),
    budget=st.sampled_from([None, 1, 3000]),
)
def test_padding_and_tiles_never_change_a_value(
    probes: list[tuple[int, int]],
    images: list[tuple[int, int]],
    scales: tuple[int, ...],
    method: str,
    budget: int | None,
) -> None:
    probe, gallery = ragged(probes, 8), ragged(images, 8, seed=20)
    options: dict[str, Any] = {"scales": scales, "method": method, "tolerance": 1e-11}
    together = dsr_distance(probe, gallery, memory_budget=budget, **options)
    alone = [[dsr_distance([p], [g], **options)[0, 0] for g in gallery] for p in probe]
    assert_close(together, torch.tensor(alone, dtype=torch.float64), rtol=1e-6, atol=1e-9)


def test_stacked_and_listed_maps_are_the_same() -> None:
    probe, gallery = relu_maps(3, 16, 4, 3).float(), relu_maps(4, 16, 5, 4, seed=1).float()
    expected = dsr_distance(probe, gallery, scales=(1, 2))
    assert torch.equal(dsr_distance(list(probe), list(gallery), scales=(1, 2)), expected)
    channels_last = (maps.contiguous(memory_format=torch.channels_last) for maps in (probe, gallery))
    assert torch.equal(dsr_distance(*channels_last, scales=(1, 2)), expected)


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), limit=st.integers(0, 30))
def test_chunks_cover_all_within_the_limit(sizes: list[int], limit: int) -> None:
    cuts = chunks(sizes, limit)
    assert [size for cut in cuts for size in sizes[cut]] == sizes
    assert all(sum(sizes[cut]) <= limit or cut.stop - cut.start == 1 for cut in cuts)


def test_plan_stays_within_the_budget() -> None:
    size = Bytes(cell=4, row=8192, column=8704)
    for budget in (1 << 16, 1 << 20, 1 << 24, 1 << 30):
        for rows, columns in ((128, 128), (128, 10**7), (10**6, 128), (10**6, 10**7)):
            limits = plan(rows, columns, size, "cpu", budget)
            used = limits.group * size.row + limits.columns * size.column + limits.rows * limits.columns * size.cell
            assert used <= budget


def test_progress_counts_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    maps = relu_maps(3, 8, 2, 2)
    dsr_distance(maps, maps[:2], progress=True, memory_budget=1)
    assert "6/6" in capsys.readouterr().err
    dsr_distance(maps, maps[:2])
    assert not capsys.readouterr().err


class Recorder(TorchDispatchMode):
    """What the operator was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[bool] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.reidops.sparse_reconstruct_gram.default:
            self.asked.append(args[-1])
        return func(*args, **(kwargs or {}))


def test_coefficients_are_only_kept_for_gradients() -> None:
    maps = relu_maps(2, 8, 2, 2)
    with Recorder() as without:
        dsr_distance(maps, maps)
        with torch.no_grad():
            dsr_distance(maps.requires_grad_(), maps)
    assert without.asked == [False, False]
    with Recorder() as with_gradient:
        dsr_distance(maps.requires_grad_(), maps)
    assert with_gradient.asked == [True]


# --- gradients ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["lasso", "ridge"])
@pytest.mark.parametrize("scales", [(1,), (1, 2)], ids=str)
def test_gradients_go_to_both_sides(method: str, scales: tuple[int, ...]) -> None:
    """The reference differentiates eq. 4 with W constant, which is eq. 7."""
    gradients = []
    for distance, options in ((dsr_distance, {"tolerance": 1e-13}), (reference.dsr_distance, {})):
        probe = [value.requires_grad_() for value in ragged(PROBES[:3])]
        gallery = [value.requires_grad_() for value in ragged(GALLERY[:3], seed=10)]
        table = distance(probe, gallery, scales=scales, method=method, **options)  # type: ignore[operator]
        (table * torch.arange(1.0, 10).reshape(3, 3)).sum().backward()
        gradients.append([value.grad for value in (*probe, *gallery)])
    assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-7)


def test_gradients_do_not_depend_on_tiles() -> None:
    gradients = []
    for budget in (None, 1):
        probe, gallery = relu_maps(3, 8, 3, 2).requires_grad_(), relu_maps(4, 8, 3, 3, seed=1).requires_grad_()
        dsr_distance(probe, gallery, memory_budget=budget, tolerance=1e-12).square().sum().backward()
        gradients.append((probe.grad, gallery.grad))
    assert_close(gradients[0], gradients[1])


# --- values that are not finite, refusals ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["lasso", "ridge"])
@pytest.mark.parametrize("scales", [(1,), (1, 2)], ids=str)
@pytest.mark.parametrize("poison", [torch.nan, torch.inf])
def test_bad_data_stays_with_its_image(poison: float, scales: tuple[int, ...], method: str) -> None:
    for shapes, images in (([(3, 2)] * 3, [(4, 2)] * 4), (PROBES, GALLERY)):
        probe, gallery = ragged(shapes), ragged(images, seed=10)
        clean = dsr_distance(probe, gallery, scales=scales, method=method)
        probe[1][2, 0, 0] = poison
        gallery[2][5, -1, -1] = poison
        table = dsr_distance(probe, gallery, scales=scales, method=method)
        tainted = torch.zeros_like(table, dtype=torch.bool)
        tainted[1], tainted[:, 2] = True, True
        assert bool(table[tainted].isnan().all())
        assert_close(table[~tainted], clean[~tainted])


@pytest.mark.parametrize("method", ["lasso", "ridge"])
def test_maps_without_channels_have_no_distance(method: str) -> None:
    lists = [torch.rand(0, 3, 2), torch.rand(0, 1, 4)]
    for probe, gallery in ((lists, lists), (torch.rand(2, 0, 3, 3), torch.rand(2, 0, 2, 3))):
        assert dsr_distance(probe, gallery, scales=(1, 2), method=method).tolist() == [[0, 0], [0, 0]]


def test_empty_lists() -> None:
    maps = ragged(GALLERY)
    assert dsr_distance([], maps).shape == (0, 5)
    assert dsr_distance(maps, []).shape == (5, 0)
    assert dsr_distance([], []).shape == (0, 0)
    assert dsr_distance([], [maps[0].half()]).dtype == torch.float16


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"probe": torch.rand(3, 2, 2)}, ValueError, r"probe must have shape \(images, C, h, w\), got .*\(3, 2, 2\)"),
        ({"gallery": 3}, TypeError, "gallery must be a tensor .* or a sequence of maps, got 3"),
        ({"gallery": [torch.rand(4, 2, 2), 1]}, TypeError, r"gallery\[1\] must be a tensor"),
        ({"gallery": [torch.rand(4, 4)]}, ValueError, r"gallery\[0\] must have shape \(C, h, w\), got .*\(4, 4\)"),
        (
            {"probe": [torch.rand(4, 2, 2), torch.rand(5, 2, 2)]},
            ValueError,
            r"probe\[1\] must have as many channels as probe\[0\], 4, got .*\(5, 2, 2\)",
        ),
        ({"gallery": torch.rand(2, 5, 2, 2)}, ValueError, "gallery must have as many channels as probe, 4, got"),
        ({"gallery": torch.rand(0, 5, 2, 2)}, ValueError, "gallery must have as many channels as probe, 4, got"),
        ({"scales": ()}, ValueError, r"scales must be distinct ints >= 1, .* got \(\)"),
        ({"scales": (0, 1)}, ValueError, r"scales must be .* got \(0, 1\)"),
        ({"scales": (1, 1)}, ValueError, r"scales must be .* got \(1, 1\)"),
        ({"scales": 2}, TypeError, "scales must be .* got 2"),
        ({"scales": (1.0,)}, TypeError, "scales must be .* got"),
        ({"scales": (3,)}, ValueError, r"probe must be at least as large as one of scales \(3,\), got a map of 2 x 2"),
        ({"probe": torch.rand(1, 4, 0, 2)}, ValueError, "got a map of 0 x 2"),
        (
            {"gallery": [torch.rand(4, 2, 2), torch.rand(4, 2, 1)], "scales": (2,)},
            ValueError,
            r"gallery\[1\] must be at",
        ),
        ({"memory_budget": 0}, ValueError, "memory_budget must be an int >= 1, got 0"),
        ({"beta": -1.0}, ValueError, "beta must be a finite number >= 0, got -1.0"),
        ({"tolerance": -1e-4}, ValueError, "tolerance must be a finite number > 0"),
        ({"method": "lars"}, ValueError, "method must be one of 'lasso', 'ridge', 'joint', got 'lars'"),
        ({"solver": "lars"}, ValueError, "solver must be one of"),
    ],
)
def test_refusals_name_the_argument(changes: dict[str, Any], error: type[Exception], words: str) -> None:
    arguments = {"probe": torch.rand(2, 4, 2, 2), "gallery": torch.rand(3, 4, 2, 2), **changes}
    with pytest.raises(error, match=rf"^dsr_distance: .*{words}"):
        dsr_distance(**arguments)


def test_a_probe_as_large_as_a_photograph_takes_memory_in_proportion() -> None:
    """At 45,000 locations a matrix of its averages would have 24 GB: its products are pooled instead."""
    probe, gallery = relu_maps(1, 4, 300, 150).float(), relu_maps(2, 4, 3, 3, seed=1).float()
    watched = torch.profiler.profile(profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU])
    with watched as profile:
        distances = dsr_distance(probe, gallery, scales=(1, 2, 3))
    assert distances.shape == (1, 2)
    assert max(event.cpu_memory_usage for event in profile.events()) < 64 << 20


def test_pooled_gallery_blocks_change_no_lasso() -> None:
    """An average of atoms is no cheaper than the atoms themselves, so that only the probe's blocks are pooled."""
    probe, gallery = relu_maps(2, 24, 5, 4), relu_maps(3, 24, 6, 4, seed=1)

    def block_sets(maps: Tensor) -> Tensor:
        return torch.cat([torch.nn.functional.avg_pool2d(maps, k, 1).flatten(2) for k in (1, 2, 3)], dim=2)

    columns = block_sets(probe)[:, None]
    pooled = sparse_reconstruct(columns, block_sets(gallery), tolerance=1e-13).error
    assert_close(sparse_reconstruct(columns, gallery.flatten(2), tolerance=1e-13).error, pooled, rtol=1e-6, atol=1e-9)
    distances = dsr_distance(probe, gallery, scales=(1, 2, 3), tolerance=1e-13)
    assert_close(distances, pooled.mean(-1), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["lasso", "ridge"])
@pytest.mark.parametrize("scales", [(1,), (1, 2)])
def test_the_gap_is_the_largest_of_the_probes_blocks(method: str, scales: tuple[int, ...]) -> None:
    probes = [relu_maps(1, 12, h, w, seed=h)[0] for h, w in ((4, 3), (2, 5), (4, 3))]
    gallery = [relu_maps(1, 12, h, w, seed=10 + h)[0] for h, w in ((5, 4), (3, 3))]
    options = {"method": method, "tolerance": 1e-2, "max_iterations": 3}
    distance, gap = dsr_distance(probes, gallery, 0.1, scales=scales, return_gap=True, **options)
    assert torch.equal(distance, dsr_distance(probes, gallery, 0.1, scales=scales, **options))
    assert gap.shape == distance.shape
    for i, probe in enumerate(probes):
        x = blocks.pool(probe.flatten(1)[None], *probe.shape[1:], scales)[0]
        for j, image in enumerate(gallery):
            y = blocks.pool(image.flatten(1)[None], *image.shape[1:], scales if method == "ridge" else (1,))[0]
            expected = sparse_reconstruct(x, y, 0.1, **options).gap.max()
            assert_close(gap[i, j], expected, rtol=1e-3, atol=1e-12)


def test_the_gap_tells_a_certified_pair_from_one_that_is_not() -> None:
    probe, gallery = relu_maps(2, 12, 4, 3), relu_maps(3, 12, 5, 4, seed=1)
    _, done = dsr_distance(probe, gallery, 0.01, return_gap=True)
    _, begun = dsr_distance(probe, gallery, 0.01, solver="fista", max_iterations=1, return_gap=True)
    assert bool((done <= 1e-4).all())
    assert bool((begun > 1e-4).all())


def test_the_gap_of_groups_and_of_a_joint_dictionary_has_a_column_per_label() -> None:
    probe, gallery, labels = relu_maps(2, 12, 4, 3), relu_maps(3, 12, 5, 4, seed=1), [5, 9, 5]
    for method in ("lasso", "joint"):
        distance, gap = dsr_distance(probe, gallery, groups=labels, method=method, return_gap=True)
        assert distance.shape == gap.shape == (2, 2)
        assert bool((gap <= 1e-4).all())
    assert torch.equal(gap[:, 0], gap[:, 1])  # one dictionary, one problem per block


def test_a_gap_has_no_gradient() -> None:
    probe, gallery = relu_maps(2, 12, 4, 3).requires_grad_(), relu_maps(3, 12, 5, 4, seed=1)
    distance, gap = dsr_distance(probe, gallery, return_gap=True)
    assert (distance.requires_grad, gap.requires_grad) == (True, False)


def test_nothing_that_is_not_finite_is_certified() -> None:
    probe, gallery = relu_maps(2, 12, 4, 3), relu_maps(3, 12, 5, 4, seed=1)
    gallery[1, 0, 0, 0] = torch.nan
    _, gap = dsr_distance(probe, gallery, return_gap=True)
    assert gap.isnan().tolist() == [[False, True, False]] * 2
