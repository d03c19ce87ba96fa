"""The middle of many sizes."""

from __future__ import annotations

from collections.abc import Mapping


def middle_sizes(counts: Mapping[tuple[int, int], int]) -> list[tuple[int, int]]:
    """The one or two sizes in the middle, by height, of all: the median of heights needs no other.

    Args:
        counts: how many pictures have which (height, width).

    Example:
        >>> middle_sizes({(128, 64): 2, (256, 100): 3}), middle_sizes({(128, 64): 1, (60, 30): 1}), middle_sizes({})
        ([(256, 100)], [(60, 30), (128, 64)], [])
    """
    total = sum(counts.values())
    places = sorted({(total - 1) // 2, total // 2}) if total else []
    found, passed = [], 0
    for size in sorted(counts):
        passed += counts[size]
        while places and places[0] < passed:
            found.append(size)
            places.pop(0)
    return found
