"""The share of right images that a shortlist keeps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from reidops_models.evaluation import ShortlistAccumulator


def test_right_images_are_those_of_another_camera() -> None:
    accumulator = ShortlistAccumulator([1, 1, 1, 2, -1], [1, 2, 3, 1, 1])
    accumulator.update(np.array([[True, True, False, True, True]]), [1], [1])  # its camera's image does not count
    accumulator.update(np.array([[True, True, True, False, False]]), [2], [2])
    accumulator.update(np.array([[True] * 5]), [9], [1])  # nobody in the gallery
    found = accumulator.result()
    assert found.kept.tolist() == [1, 0, 0]
    assert found.right.tolist() == [2, 1, 0]
    assert (found.recall, found.found) == (0.25, 0.5)


def test_nobody_to_find() -> None:
    found = ShortlistAccumulator([1]).result()
    assert math.isnan(found.recall)
    assert math.isnan(found.found)


def test_what_it_refuses() -> None:
    with pytest.raises(ValueError, match=r"inside must be bool of shape \(1, 2\), got float64 of \(1, 2\)"):
        ShortlistAccumulator([1, 2]).update(np.zeros((1, 2)), [1])
