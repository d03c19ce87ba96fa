"""The CMC curve as an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def draw_cmc(curves: Mapping[str, Sequence[float]], path: str | Path, title: str = "", ranks: int = 20) -> Path:
    """Draw cumulative matching characteristics: the share of probes whose identity is found by rank r.

    Args:
        curves: for each method the values at rank 1, 2, 3, ..., as shares in [0, 1].
        path: the image to write; its ending chooses the format (png, svg, pdf).
        title: a line above the curves.
        ranks: ranks to draw, fewer where the curves are shorter.

    Returns:
        The path written.

    Example:
        >>> draw_cmc({"Resizing model": [0.4, 0.6], "DSR": [0.5, 0.7]}, "cmc.png")  # doctest: +SKIP
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, PercentFormatter

    # A Figure of its own, not pyplot: no global state, and no window system is asked for.
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, values in curves.items():
        shown = list(values)[:ranks]
        axes.plot(range(1, len(shown) + 1), shown, marker="o", markersize=3.5, linewidth=1.8, label=name)
    axes.set(xlabel="rank", ylabel="probes matched", title=title, ylim=(0, 1.01))
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    axes.xaxis.set_major_locator(FixedLocator([1, *range(5, ranks + 1, 5)]))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=144)
    return path
