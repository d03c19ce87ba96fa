"""``torch.jit.trace``: right at sizes that were not traced, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import reidops

pytestmark = pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore:.*torch.jit.trace.*")

Shapes = tuple[tuple[int, ...], ...]
RIGHT: dict[str, tuple[Callable[..., Tensor], Shapes, Shapes]] = {
    "affine_sample": (
        lambda x, t: reidops.affine_sample(x, t, (4, 5)),
        ((2, 3, 9, 7), (2, 2, 3)),
        ((4, 3, 12, 8), (4, 2, 3)),
    ),
    "sparse_reconstruct": (lambda x, y: reidops.sparse_reconstruct(x, y).error, ((20, 5), (20, 7)), ((30, 9), (30, 4))),
    "dsr_distance": (reidops.dsr_distance, ((2, 8, 3, 2), (3, 8, 4, 2)), ((4, 8, 3, 3), (5, 8, 4, 3))),
    "dsr_distance, in tiles": (reidops.dsr_distance, ((2, 8, 3, 2), (3, 8, 4, 2)), ((400, 8, 3, 3), (500, 8, 4, 3))),
    "dsr_topk": (
        lambda x, y: reidops.dsr_topk(x, y, 2).distances,
        ((2, 8, 3, 2), (3, 8, 4, 2)),
        ((4, 8, 3, 3), (5, 8, 4, 3)),
    ),
}


def inputs(shapes: Shapes) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand(*shape, generator=generator) for shape in shapes)


@pytest.mark.parametrize("name", RIGHT)
def test_a_trace_serves_other_sizes(name: str) -> None:
    function, traced, others = RIGHT[name]
    trace: Any = torch.jit.trace(lambda *given: function(*given), inputs(traced), check_trace=False)
    given = inputs(others)
    torch.testing.assert_close(trace(*given), function(*given))


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (reidops.depthwise_xcorr, ((2, 3, 9, 7), (2, 3, 3, 3))),
        (reidops.projected_xcorr, ((2, 3, 9, 7), (2, 2, 3, 3, 3), (4, 2, 3))),
    ],
)
def test_what_would_keep_its_sizes_is_refused(function: Callable[..., Tensor], shapes: Shapes) -> None:
    with pytest.raises(NotImplementedError, match=r"torch\.jit\.trace would keep the traced maps' sizes"):
        torch.jit.trace(lambda *given: function(*given), inputs(shapes), check_trace=False)
