"""The picture of a sweep: for each operator all cases, sorted by our lead over the fastest rival."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt

matplotlib.use("Agg")


def draw(cases: Sequence[tuple[str, str, float, str]], path: Path) -> None:
    """Draws cases ``(operator, name, lead, fastest rival)``; a lead of 1 is equality."""
    operators = list(dict.fromkeys(operator for operator, *_ in cases))
    rivals = sorted({rival for *_, rival in cases})
    colours = {rival: f"C{i}" for i, rival in enumerate(rivals)}
    figure, axes = plt.subplots(1, len(operators), figsize=(4 * len(operators), 4.2), sharey=True, squeeze=False)
    for axis, operator in zip(axes[0], operators, strict=True):
        own = sorted((lead, rival) for name, _, lead, rival in cases if name == operator)
        for rival in rivals:
            places = [i for i, (_, other) in enumerate(own) if other == rival]
            axis.scatter(places, [own[i][0] for i in places], s=9, color=colours[rival], label=rival)
        behind = sum(lead < 1 for lead, _ in own)
        axis.axhline(1, color="black", linewidth=0.8)
        axis.set(yscale="log", xlabel=f"{len(own)} cases, behind in {behind}", title=operator)
        axis.set_xticks([])
        axis.grid(axis="y", which="both", alpha=0.25)
    axes[0, 0].set_ylabel("fastest rival's time / ours")
    handles, labels = axes[0, -1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(rivals), frameon=False, title="the fastest rival")
    figure.tight_layout(rect=(0, 0.13, 1, 1))
    part = path.with_name(f".part-{path.name}")
    figure.savefig(part, dpi=110)
    part.replace(path)
