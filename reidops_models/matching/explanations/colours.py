"""Colours that carry meaning: where a block lies, and how badly it was rebuilt.

Matplotlib, whose colours these are, is imported as they are first asked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.float64]


def position_colours(rows: int, columns: int) -> Colours:
    """One colour for each block of a grid: the hue follows the row, the lightness the column.

    Args:
        rows, columns: size of the grid, in blocks.

    Returns:
        (rows * columns, 3) RGB in [0, 1], row by row.

    Example:
        >>> position_colours(8, 4).shape
        (32, 3)
    """
    from matplotlib import colormaps

    # The ends of the colour map are nearly black; a person's head and feet deserve better.
    hues = np.asarray(colormaps["turbo"](np.linspace(0.08, 0.92, rows)))[:, None, :3]
    whiteness = np.linspace(0.0, 0.45, columns)[None, :, None]
    return ((1 - whiteness) * hues + whiteness).reshape(rows * columns, 3)


def mixed_colours(weights: NDArray[np.floating], colours: Colours) -> tuple[Colours, NDArray[np.float64]]:
    """The colour of each gallery block: its probe blocks' colours, mixed as it was used by them.

    Gallery block m takes part in probe block n with coefficient w_mn. Its colour is
    sum_n |w_mn| c_n / sum_n |w_mn|, and its strength sum_n |w_mn|, relative to the strongest block.

    Args:
        weights: (M, N) coefficients.
        colours: (N, 3) colours of the probe blocks.

    Returns:
        (M, 3) colours, and (M,) strengths in [0, 1].
    """
    magnitude = np.abs(weights).astype(np.float64)
    total = magnitude.sum(axis=1)
    colour = magnitude @ colours / np.maximum(total, np.finfo(np.float64).tiny)[:, None]
    return np.clip(colour, 0, 1), total / max(float(total.max(initial=0.0)), np.finfo(np.float64).tiny)


def error_colours(errors: NDArray[np.floating], largest: float) -> Colours:
    """Heat colours, yellow to dark red, of errors in [0, largest].

    Returns:
        errors.shape + (3,) RGB in [0, 1].
    """
    from matplotlib import colormaps

    scale = largest if largest > 0 else 1.0
    return np.asarray(colormaps["YlOrRd"](0.15 + 0.85 * np.clip(errors / scale, 0, 1)))[..., :3]


def css(colour: NDArray[np.floating]) -> str:
    """`#rrggbb` of one RGB colour in [0, 1]."""
    red, green, blue = (round(255 * float(value)) for value in colour)
    return f"#{red:02x}{green:02x}{blue:02x}"
