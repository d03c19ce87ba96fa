"""Colours mean what they say."""

from __future__ import annotations

import numpy as np

from reidops_models.matching.explanations.colours import css, error_colours, mixed_colours, position_colours


def test_colours() -> None:
    colours = position_colours(8, 4)
    assert colours.shape == (32, 3)
    assert len({css(colour) for colour in colours}) == 32
    mixed, strength = mixed_colours(np.array([[0.5, -0.5], [0.0, 0.0]]), np.array([[1.0, 0, 0], [0, 0, 1.0]]))
    np.testing.assert_allclose(mixed[0], [0.5, 0, 0.5])
    np.testing.assert_allclose(strength, [1, 0])
    heat = error_colours(np.array([0.0, 1.0]), 1.0)
    assert heat[0].mean() > heat[1].mean()  # from light to dark
    assert css(np.array([1.0, 0.5, 0.0])) == "#ff8000"
