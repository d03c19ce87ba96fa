"""Sets of people whom two cameras saw, split by identity: who is trained on, who is searched for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reidops_models.data.dataset import DatasetError, ReidDataset, Sample

__all__ = ["draw_people", "parse_number", "two_camera_split"]


def draw_people(pids: Sequence[int], counts: Sequence[int], seed: int) -> list[set[int]]:
    """Disjoint groups of so many people each, drawn by a seed of its own.

    Example:
        >>> [sorted(group) for group in draw_people(range(6), (2, 1), seed=0)]
        [[2, 5], [1]]
    """
    # NumPy promises never to change this generator's numbers: a split is the same with every version.
    order = np.random.RandomState(seed).permutation(np.unique(pids))
    ends = np.cumsum(counts)
    return [set(order[end - count : end].tolist()) for end, count in zip(ends, counts, strict=True)]


def two_camera_split(
    name: str,
    root: Path,
    samples: Sequence[Sample],
    train: set[int],
    test: set[int],
    *,
    first: set[int],
    variant: str,
    published: tuple[int, int],
) -> ReidDataset:
    """Train on some people; search others, seen by a camera of `first`, in what the other cameras saw.

    Args:
        name, root, variant: of the data set.
        samples: all images.
        train, test: identities.
        first: cameras of the probes.
        published: people to train on and to search for, as they should be.
    """
    of_test = [sample for sample in samples if sample.pid in test]
    people = {"train": published[0], "query": published[1], "gallery": published[1]}
    return ReidDataset(
        name=name,
        root=root,
        train=[sample for sample in samples if sample.pid in train],
        query=[sample for sample in of_test if sample.camid in first],
        gallery=[sample for sample in of_test if sample.camid not in first],
        variant=variant,
        people=people,
    )


def parse_number(text: str, root: Path, setting: str, limit: int) -> int:
    """A split's number within a setting, from 0.

    Raises:
        DatasetError: the text is not a number of a split, or there are fewer splits.
    """
    if not text.isdecimal() or int(text) >= limit:
        raise DatasetError(f"{root}: setting {setting!r}: expected a number below {limit} in place of {text!r}")
    return int(text)
