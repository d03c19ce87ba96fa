"""What a block of projected_xcorr issues at CSN's levels: its machine code for sm_90 is run on a CPU, no GPU.

    python -m benchmarks.gpu_projected_xcorr_issue

`issued`: instructions of all warps of a block, which has a whole pair where there are many. `multiply-adds`: their
share of these. `useful`: the share of those alone that end in an output, 32 to an instruction. The times are those of
2048 pairs in milliseconds, the longer of two: every instruction issued, four a cycle on each multiprocessor (on an A100
two multiply-adds), and every tensor read or written once. Nothing waits in them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .devices import DEVICES
from .gpu_depthwise_xcorr_issue import time
from .issued import emulated, issued, multiply_adds, print_rows

SOURCE = "projected_xcorr/projected_xcorr_cuda.cu"
PAIRS = 2048
#: Channels, templates and outputs; height and width of the maps, and taps a side; whether score maps are pooled.
LEVELS = {"CSN level 2": (96, 3, 32, 40, 15, 10, True), "CSN level 3": (96, 3, 32, 20, 8, 5, False)}


def call(kernels: Any, level: tuple[int, int, int, int, int, int, bool]) -> None:
    """PAIRS pairs that share their tensors: what a block does is the same."""
    channels, templates, outputs, height, width, taps, pooled = level
    maps = np.zeros((1, PAIRS // 64, channels, height, width), np.float32)
    of_templates = np.zeros((64, 1, templates, channels, taps, taps), np.float32)
    weight = np.zeros((channels, templates, outputs), np.float32)
    margin = (taps - 1) // 2
    kernels.project(maps, of_templates, weight, top=margin, left=margin, h=height, w=width, pooled=pooled)


def main() -> None:
    kernels = emulated("projected_xcorr")
    rows = [["", "threads", "shared", "issued", "multiply-adds", "useful"]]
    rows[0] += [device.name.split()[0] for device in DEVICES]
    for name, level in LEVELS.items():
        channels, templates, outputs, height, width, taps, pooled = level
        found, _ = issued(kernels, SOURCE, call, kernels, level, blocks=1)
        launch = found[0][0]
        every, multiplied = sum(counts.total() for _, counts, _ in found), multiply_adds(found)
        pixels = height * width
        left = (height + 1) // 2 * ((width + 1) // 2) if pooled else pixels
        useful = channels * templates * (pixels * taps**2 + left * outputs) / 32
        moved = 4 * (channels * (pixels * PAIRS // 64 + 64 * templates * taps**2) + PAIRS * outputs * left)
        row = [name, f"{launch.block[0]}", f"{launch.shared_bytes}", f"{every}", f"{multiplied / every:.0%}"]
        row.append(f"{useful / every:.0%}")
        row += [f"{time(device, PAIRS * every, PAIRS * multiplied, moved):.2f}" for device in DEVICES]
        rows.append(row)
    print_rows(rows)


if __name__ == "__main__":
    main()
