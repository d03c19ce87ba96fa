"""What an error says about the value that came."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

import reidops

MAPS = np.zeros((2, 8, 6, 4), dtype=np.float32)


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (lambda: reidops.affine_sample(MAPS, torch.zeros(2, 2, 3), (4, 4)), "input"),  # type: ignore[arg-type]
        (lambda: reidops.boxes_to_theta(MAPS), "boxes"),  # type: ignore[arg-type]
        (lambda: reidops.depthwise_xcorr(MAPS, torch.zeros(2, 8, 3, 3)), "search"),  # type: ignore[arg-type]
        (lambda: reidops.dsr_distance(MAPS, torch.zeros(2, 8, 6, 4)), "probe"),
        (lambda: reidops.dsr_distance(list(MAPS), torch.zeros(2, 8, 6, 4)), r"probe\[0\]"),
        (lambda: reidops.sparse_reconstruct(MAPS, torch.zeros(8, 4)), "x"),  # type: ignore[arg-type]
    ],
)
def test_a_numpy_array_is_told_by_its_shape(call: Callable[[], object], argument: str) -> None:
    with pytest.raises(TypeError, match=rf"{argument} must be a tensor .* got a float32 ndarray of shape \(.*6, 4\)$"):
        call()


def test_a_long_value_is_cut() -> None:
    with pytest.raises(TypeError, match="search must be a tensor") as error:
        reidops.depthwise_xcorr([[0.0] * 4] * 1000, torch.zeros(2, 8, 3, 3))  # type: ignore[arg-type]
    assert len(str(error.value)) < 200
    assert str(error.value).endswith("... (list)")
    with pytest.raises(TypeError, match=r"got 'a map' \(str\)$"):
        reidops.depthwise_xcorr("a map", torch.zeros(2, 8, 3, 3))  # type: ignore[arg-type]
