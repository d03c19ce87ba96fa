"""CMC, average precision and inverse negative penalty in plain loops, written from the definitions: what the fast
code is held against."""

from __future__ import annotations

import math
from typing import Any


def rank_one_probe(
    distances: list[float],
    pid: int,
    camid: int,
    gallery_pids: list[int],
    gallery_camids: list[int] | None,
    average: str,
) -> tuple[int, float, float]:
    """First match (0: none), average precision and inverse negative penalty (NaN: none) of one probe."""
    ranking = sorted(range(len(distances)), key=lambda g: (math.isnan(distances[g]), nan_to_zero(distances[g]), g))
    seen, found, total, first, last = 0, 0, 0.0, 0, 0
    old_recall, old_precision = 0.0, 1.0
    right = [g for g in ranking if is_right(g, pid, camid, gallery_pids, gallery_camids)]
    for g in ranking:
        if gallery_pids[g] < 0 or (same(g, pid, gallery_pids) and g not in right):
            continue  # junk, or the probe's own camera
        seen += 1
        if g in right:
            found += 1
            first = first or seen
            last = seen  # of the hardest match in the end
        # Market-1501's own program sums trapezoids over all ranks; the step definition looks at right images only.
        recall, precision = found / len(right) if right else 0.0, found / seen
        if average == "trapezoid":
            total += (recall - old_recall) * (old_precision + precision) / 2
        elif g in right:
            total += precision / len(right)
        old_recall, old_precision = recall, precision
    return (first, total, 1 - (last - len(right)) / last) if right else (0, math.nan, math.nan)


def is_right(g: int, pid: int, camid: int, gallery_pids: list[int], gallery_camids: list[int] | None) -> bool:
    own_camera = gallery_camids is not None and camid >= 0 and gallery_camids[g] == camid
    return same(g, pid, gallery_pids) and not own_camera


def same(g: int, pid: int, gallery_pids: list[int]) -> bool:
    return pid >= 0 and gallery_pids[g] == pid


def nan_to_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value


def rank_all(
    distances: Any, pids: Any, gallery: Any, camids: Any, gallery_camids: Any, average: str = "step"
) -> tuple[list[int], list[float], list[float]]:
    """All probes of arrays."""
    own = [-1] * len(pids) if camids is None else camids.tolist()
    cameras = None if gallery_camids is None else gallery_camids.tolist()
    rows = zip(distances.tolist(), pids.tolist(), own, strict=True)
    ranked = [rank_one_probe(row, pid, camid, gallery.tolist(), cameras, average) for row, pid, camid in rows]
    return [one[0] for one in ranked], [one[1] for one in ranked], [one[2] for one in ranked]
