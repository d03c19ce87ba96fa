"""The least error of a reconstruction, against lassos that are solved in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

import reidops
from reidops_models.matching.error_bound import inverse_factor, least_distances, least_errors


def problem(seed: int, channels: int, atoms: int, columns: int, alike: float, unit: bool) -> tuple[Tensor, Tensor]:
    """x (C, N) and Y (C, M) in float64; the more alike, the nearer all are to one direction."""
    generator = torch.Generator().manual_seed(seed)

    def draw(count: int) -> Tensor:
        own = torch.randn(channels, count, dtype=torch.float64, generator=generator)
        found = (1 - alike) * own + alike * torch.ones(channels, 1, dtype=torch.float64)
        return F.normalize(found, dim=0) if unit else found

    return draw(columns), draw(atoms)


def least_and_objective(x: Tensor, y: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    c, gram = y.mT @ x, y.mT @ y
    q = (inverse_factor(gram[None], beta)[0] @ c).square().sum(dim=0)
    norm, none = gram.diagonal().amax()[None, None], torch.zeros(1, 1, dtype=x.dtype)
    least, objective = least_errors(c.abs().amax(dim=0)[None], none, q[None], x.square().sum(dim=0), norm, beta)
    return least[0], objective[0]


problems = st.tuples(
    st.integers(0, 10**6),
    st.integers(2, 24),
    st.integers(1, 30),
    st.integers(1, 6),
    st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    st.booleans(),
)


@settings(max_examples=150, deadline=None)
@given(problems, st.sampled_from([0.01, 0.1, 0.4, 1.0, 3.0]))
def test_no_error_is_less(case: tuple[int, int, int, int, float, bool], beta: float) -> None:
    x, y = problem(*case)
    solved = reidops.sparse_reconstruct(x, y, beta, tolerance=1e-13)
    least, objective = least_and_objective(x, y, beta)
    energy = x.square().sum(dim=0)
    rounding = 1e-8 * energy
    assert (least <= solved.error + rounding).all()
    best = solved.error + beta * solved.coefficients.abs().sum(dim=0)
    assert (objective >= best - rounding).all()
    assert (least >= -rounding).all()


def test_one_atom_that_is_the_column_itself_has_the_least_error() -> None:
    x = F.normalize(torch.ones(5, 1, dtype=torch.float64), dim=0)
    least, _ = least_and_objective(x, x, 0.4)
    torch.testing.assert_close(least, torch.tensor([0.04], dtype=torch.float64), rtol=0, atol=5e-3)  # (t / m)^2


def test_atoms_of_no_use_leave_everything() -> None:
    x = torch.tensor([[1.0], [0.0], [0.0]], dtype=torch.float64)
    y = torch.tensor([[0.1, 0.0], [1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    assert least_and_objective(x, y, 0.4)[0].tolist() == [1.0]


def test_least_squares_is_what_is_left_without_a_penalty() -> None:
    x, y = problem(0, 12, 5, 3, 0.5, True)
    least, _ = least_and_objective(x, y, 1e-4)
    expected = (x - y @ torch.linalg.lstsq(y, x).solution).square().sum(dim=0)
    torch.testing.assert_close(least, expected, rtol=0, atol=5e-3)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([(1,), (1, 2), (1, 2, 3)]),
    st.sampled_from([0.05, 0.4]),
    st.sampled_from([torch.float32, torch.float16]),
    st.booleans(),
)
def test_no_distance_is_less(seed: int, scales: tuple[int, ...], beta: float, dtype: torch.dtype, alike: bool) -> None:
    generator = torch.Generator().manual_seed(seed)

    def draw(height: int, width: int) -> Tensor:
        maps = torch.rand(24, height, width, generator=generator) ** (1 if alike else 6)
        return F.normalize(maps, dim=0).to(dtype)

    probes = [draw(4, 3), draw(2, 5)]
    gallery = [draw(4, 3), draw(4, 3), draw(5, 2), probes[0]]
    least = least_distances(probes, gallery, beta, scales=scales)
    distances = reidops.dsr_distance(probes, gallery, beta, scales=scales).double()
    assert (least <= distances).all()
    assert (least > 0.02 * distances).any()


def test_it_refuses_no_penalty() -> None:
    with pytest.raises(ValueError, match="beta must be above 0, got 0"):
        least_distances([torch.ones(2, 2, 2)], [torch.ones(2, 2, 2)], 0)
