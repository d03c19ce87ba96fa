"""What a block of depthwise_xcorr issues at the benchmark's shapes: read from the machine code, no GPU.

    python -m benchmarks.gpu_depthwise_xcorr_issue

One block's machine code for sm_90 is run on a CPU (tests/machine_code), with the parameters that a launch has.
`issued`: instructions of all warps, for one template. `multiply-adds`: their share of
these. `useful`: the share of those alone that end in an output, 32 to an instruction.

The times are the longer of two, in milliseconds: every instruction of every block issued, four a cycle on each
multiprocessor (on an A100 two multiply-adds), and every tensor read or written once. Nothing waits in them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .bench_depthwise_xcorr import CASES, Case
from .devices import DEVICES, ISSUED, Device
from .gpu_depthwise_xcorr import TIMES
from .issued import emulated, issued, multiply_adds, print_rows

SOURCE = "depthwise_xcorr/depthwise_xcorr_cuda.cu"


def calls(case: Case) -> dict[str, tuple[np.ndarray, np.ndarray, dict[str, Any], int, int]]:
    """Forward and both gradients: search, template, what else is passed, outputs x taps of a block's channel, sums."""
    height, width = case.size
    before, after = (case.k - 1) // 2, case.k // 2
    maps = np.zeros((case.maps, 1, case.channels, height, width), np.float32)
    taps = np.zeros((case.maps, case.templates, case.channels, case.k, case.k), np.float32)
    out = np.zeros((case.maps, case.templates, case.channels, height, width), np.float32)
    products = height * width * case.k**2
    grads, others = (np.ascontiguousarray(value.swapaxes(0, 1)) for value in (out, taps))
    margins = {"top": before, "left": before}
    return {
        "forward": (maps, taps, {**margins, "h": height, "w": width}, products, 1),
        "by the map": (
            grads,
            others,
            {"top": after, "left": after, "h": height, "w": width, "turned": True, "summed": True},
            products,
            case.templates,
        ),
        "by the template": (maps, out, {**margins, "h": case.k, "w": case.k}, products, 1),
    }


def main() -> None:
    kernels = emulated("depthwise_xcorr")
    rows = [["", "threads", "shared", "issued", "multiply-adds", "useful"]]
    rows[0] += [device.name.split()[0] for device in DEVICES]
    for name, case in CASES.items():
        if case.maps < 16:
            continue  # the same blocks, but for fewer outputs of a map in one
        for what, (search, template, options, products, sums) in calls(case._replace(maps=TIMES * case.maps)).items():
            tiling = kernels.tiling(search, template, **options)
            found, _ = issued(kernels, SOURCE, kernels.correlate, search, template, blocks=1, **options)
            times = tiling["together"] * sums
            every = sum(counts.total() for _, counts, _ in found) / times
            multiplied = multiply_adds(found) / times
            useful = tiling["channels"] * products / 32
            chunks = case.channels / tiling["channels"]  # of all maps and templates
            pairs = TIMES * case.maps * case.templates * chunks
            outputs = case.channels * options["h"] * options["w"] * TIMES * case.maps * case.templates // sums
            moved = 4 * (search.size + template.size + outputs)
            row = [f"{name}, {what}", f"{tiling['threads']}", f"{tiling['shared_bytes']}", f"{every:.0f}"]
            row += [f"{multiplied / every:.0%}", f"{useful / every:.0%}"]
            row += [f"{time(device, pairs * every, pairs * multiplied, moved):.3f}" for device in DEVICES]
            rows.append(row)
    print_rows(rows)


def time(device: Device, issued: float, multiplied: float, moved: float) -> float:
    """Milliseconds of one call."""
    cycles = max(issued / ISSUED, multiplied / device.multiply_adds)
    return 1e3 * max(cycles / device.cycles, moved / (device.terabytes * 1e12))


if __name__ == "__main__":
    main()
