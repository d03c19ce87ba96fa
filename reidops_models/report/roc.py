"""The ROC curve as an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Rates = Sequence[float] | np.ndarray

MIN_RATE = 1e-3  # false positive rate at the left edge of a logarithmic axis


def draw_roc(
    curves: Mapping[str, tuple[Rates, Rates]], path: str | Path, title: str = "", *, logarithmic: bool = True
) -> Path:
    """Draw receiver operating characteristics: the share of right pairs accepted over that of wrong pairs accepted.

    Args:
        curves: for each method false and true positive rates, both rising, in [0, 1]
            (`VerificationResult.curve`).
        path: the image to write; its ending chooses the format (png, svg, pdf).
        title: a line above the curves.
        logarithmic: spread out the low false positive rates, from 0.1 % on, where decisions are made.

    Returns:
        The path written.

    Example:
        >>> draw_roc({"DSR": ([0, 0.1, 1], [0, 0.8, 1])}, "roc.png")  # doctest: +SKIP
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, (false, true) in curves.items():
        axes.step(np.asarray(false), np.asarray(true), where="post", linewidth=1.8, label=name)
    axes.set(xlabel="false positive rate", ylabel="true positive rate", title=title, xlim=(0, 1), ylim=(0, 1.01))
    if logarithmic:
        axes.set(xscale="log", xlim=(MIN_RATE, 1))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right" if not logarithmic else "upper left")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=144)
    return path
