"""The reliability curve of a calibration as an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from reidops_models.evaluation import Reliability

LOWEST = 1e-4  # probability at the lower left corner


def draw_reliability(curves: Mapping[str, Reliability], path: str | Path, title: str = "") -> Path:
    """Draw how often pairs of a probability do show one person, and how many pairs there are of it.

    A calibration that keeps what it says lies on the diagonal. Both axes are logarithmic, because most pairs of a
    search have low probabilities.

    Args:
        curves: for each method what `reliability` found.
        path: the image to write; its ending chooses the format (png, svg, pdf).
        title: a line above the curves.

    Returns:
        The path written.

    Example:
        >>> draw_reliability({"DSR": found}, "reliability.png")  # doctest: +SKIP
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    figure = Figure(figsize=(6.4, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    axes.plot([LOWEST, 1], [LOWEST, 1], color="0.6", linewidth=1, linestyle="--")
    for name, curve in curves.items():
        label = f"{name}: error {100 * curve.error:.2g} %, Brier {curve.brier:.2g}"
        said = curve.said.clip(min=LOWEST)
        (line,) = axes.plot(said, curve.found.clip(min=LOWEST), marker="o", markersize=4, linewidth=1.8, label=label)
        below.plot(said, curve.pairs, marker="o", markersize=4, linewidth=1.2, color=line.get_color())
    axes.set(xscale="log", yscale="log", xlim=(LOWEST, 1.1), ylim=(LOWEST, 1.1), ylabel="share of one person")
    axes.set_title(title)
    below.set(yscale="log", xlabel="probability of one person", ylabel="pairs")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    for one in (axes, below):
        one.grid(alpha=0.25)
        one.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=144)
    return path
