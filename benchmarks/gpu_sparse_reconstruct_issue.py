"""What a warp issues for a column of sparse_reconstruct: its machine code for sm_90 is run on a CPU, no GPU.

    python -m benchmarks.gpu_sparse_reconstruct_issue

The columns are those of `python -m tests.emulator.count_moves`: four probes of benchmarks/features.py against four
gallery images, beta 0.4. `a column`: what is issued between taking a column and taking the next. `a block`: what its
warps issue beside that, of which copying the Gram is most. The files are where the instructions come from. The results
are compared with the emulator's, so that what is counted is the right way.
"""

from __future__ import annotations

import importlib
from collections import Counter

import numpy as np

from .issued import Issued, by_file, emulated, issued, print_rows

SOURCE = "sparse_reconstruct/sparse_reconstruct_cuda.cu"
SHAPES = ((16, 8, 2048), (8, 4, 512))
FILES = 8  # those that most is issued from


def of_columns(found: Issued) -> Issued:
    """Only what lies in the kernel's longest loop, which takes one column after another."""
    chosen = []
    for launch, counts, kernel in found:
        longest = max(kernel.loops[1:], key=lambda loop: loop.end - loop.begin)
        kept = Counter({place: n for place, n in counts.items() if longest.begin <= place < longest.end})
        chosen.append((launch, kept, kernel))
    return chosen


def main() -> None:
    cases = importlib.import_module("tests.emulator.count_moves")
    kernels = emulated("sparse_reconstruct_staged")
    for shape in SHAPES:
        problem = cases.columns(*shape)
        expected = problem.solve(kernels, return_coefficients=False)
        found, (error, gap, _) = issued(kernels, SOURCE, problem.solve, kernels, return_coefficients=False)
        off = float(np.abs(error - expected[0]).max())
        columns, blocks = error.size, sum(launch.grid[0] for launch, _, _ in found)
        every = sum(counts.total() for _, counts, _ in found)
        own = of_columns(found)
        in_columns = sum(counts.total() for _, counts, _ in own)
        print(f"{'x'.join(map(str, shape))}: {columns} columns, largest gap {gap.max():.1e}, errors off by {off:.0e}")
        rows = [["", "issued"], ["a column", f"{in_columns / columns:.0f}"]]
        files = by_file(own)
        rows += [[f"  {name}", f"{count / columns:.0f}"] for name, count in files.most_common(FILES)]
        rows.append(["a block", f"{(every - in_columns) / blocks:.0f}"])
        print_rows(rows)


if __name__ == "__main__":
    main()
