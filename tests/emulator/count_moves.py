"""Prints what the CUDA lasso does for a column on the emulator: moves, atoms that join and leave, rows that are read.

    python -m tests.emulator.count_moves            as it is, up to four violators join before a move
    python -m tests.emulator.count_moves --joins 2  were it up to two

The kernel is built from a copy of its source that counts, and gives its counts in place of the coefficients.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.features import feature_maps
from tests.emulator.conftest import Change
from tests.emulator.conftest import load as build
from tests.emulator.test_sparse_reconstruct_kernels import Case

FILE = "sparse_reconstruct/active_set.cuh"

#: What is counted; the text that stands where it happens; what is added there.
COUNTED = {
    "moves": ("moves = move(step,", "1"),
    "violators looked at": ("if (size_ == kCapacity || holds(atom)", "1"),
    "joins": ("++size_;", "1"),
    "  fours of slots in them": ("inverse_.grow(size_,", "(size_ + 2) / 4 + (size_ + 3) / 4"),
    "fours of rows in r = c - Gw": ("for (int i = 0; i < r.rounds(); ++i) {", "(size_ + 3) / 4"),
    "leaves": ("inverse_.leave(p,", "1"),
    "polishes": ("if (++idle > kPolishes) return false;", "1"),
    "certificates": ("sums.r_max = r_max;", "1"),
    "atoms at the end": ("fill(w, T(0));", "size_"),
}


def changes(joins: int) -> list[Change]:
    """Lane l hands over the counts 4 l to 4 l + 3, as the coefficients of its first four atoms."""
    hand_over = "for (int k = 0; k < 4; ++k) w.at(0, k) = T(counted_[4 * lane_index() + k]);\n    return;\n    "
    found = [(FILE, "kJoins = 4;", f"kJoins = {joins};")]
    found.append((FILE, "  int size_ = 0;", "  mutable int counted_[128] = {};\n  int size_ = 0;"))
    for number, (text, added) in enumerate(COUNTED.values()):
        last = hand_over if number + 1 == len(COUNTED) else ""
        found.append((FILE, text, f"counted_[{number}] += {added};\n    {last}{text}"))
    return found


def columns(height: int, width: int, channels: int) -> Case:
    """Four probes' columns, 16 of each, against four gallery images."""
    probes = feature_maps(4, height, width, channels, seed=1).flatten(2).mT
    gallery = feature_maps(4, height, width, channels, seed=2).flatten(2).mT
    every = height * width // 16
    return Case(probes[:, ::every].flatten(0, 1).contiguous().numpy(), gallery.contiguous().numpy(), beta=0.4)


def neighbours(height: int, width: int, channels: int) -> Case:
    """Eight columns that follow each other in a probe, against four gallery images."""
    probe = feature_maps(1, height, width, channels, seed=1)[0].flatten(1).mT
    gallery = feature_maps(4, height, width, channels, seed=2).flatten(2).mT
    return Case(probe[width : width + 8].contiguous().numpy(), gallery.contiguous().numpy(), beta=0.4)


def overlap(w: np.ndarray) -> float:
    """The share of a column's support that the column before it has, too."""
    support = w != 0
    return float((support[1:] & support[:-1]).sum() / support[1:].sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--joins", type=int, default=4, help="violators that may join before a move")
    counting = build("sparse_reconstruct_staged", "plain", *changes(parser.parse_args().joins))
    kernels = build("sparse_reconstruct_staged", "plain")
    for shape in ((16, 8, 2048), (8, 4, 512)):
        problem = columns(*shape)
        _, gap, counted = problem.solve(counting)
        _, _, w = problem.solve(kernels)
        counts = counted.reshape(-1, counted.shape[-1])[:, : len(COUNTED)]
        print(f"{'x'.join(map(str, shape))}: {len(counts)} columns, largest gap {gap.max():.1e}")
        pairs = counted[..., : len(COUNTED)].reshape(len(counted) // 2, 2, *counted.shape[1:2], -1).max(1)
        print(f"    {'':<28}   mean  of two, the larger   most")
        for name, values, larger in zip(COUNTED, counts.T, pairs.reshape(-1, len(COUNTED)).T, strict=True):
            print(f"    {name:<28} {values.mean():6.2f} {larger.mean():16.2f} {values.max():8.0f}")
        print(f"    columns of more than 16 atoms {(counts[:, -1] > 16).mean():6.1%}")
        _, _, w = neighbours(*shape).solve(kernels)
        print(f"    of a support, in that before  {overlap(w):6.1%}")


if __name__ == "__main__":
    main()
