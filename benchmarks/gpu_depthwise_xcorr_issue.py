"""What a block of depthwise_xcorr issues at the benchmark's shapes: read from the machine code, no GPU.

    python -m benchmarks.gpu_depthwise_xcorr_issue

The kernels are compiled for sm_90 and followed through one block (csrc/issue.py), with the parameters that a launch
would have (tests/emulator). `issued`: instructions of all warps, for one template. `multiply-adds`: their share of
these. `useful`: the share of those alone that end in an output, 32 to an instruction.

The times are the longer of two, in milliseconds: every instruction of every block issued, four a cycle on each
multiprocessor (on an A100 two multiply-adds), and every tensor read or written once. Nothing waits in them.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .bench_depthwise_xcorr import CASES, Case
from .devices import DEVICES, ISSUED, Device
from .gpu_depthwise_xcorr import TIMES

ROOT = Path(__file__).parent.parent
sys.path += [str(ROOT / "csrc"), str(ROOT / "tests" / "emulator")]

SOURCE = """#include "depthwise_xcorr/depthwise_xcorr.cuh"
template void reidops::depthwise_xcorr::launch_xcorr(const Problem<float>&, Stream, int64_t, int64_t);
"""


def listed() -> dict[str, Any]:
    """The kernels of float32, by name."""
    import check_machine_code
    import cuda_toolchain

    toolchain, reason = cuda_toolchain.decide()
    if toolchain is None:
        sys.exit(f"nothing read: {reason}")
    nvdisasm = check_machine_code.find_nvdisasm(toolchain)
    if nvdisasm is None:
        sys.exit("nothing read: there is no nvdisasm")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "kernels.cu"
        source.write_text(SOURCE)
        return {kernel.name: kernel for kernel in check_machine_code.compiled(toolchain, nvdisasm, source)}


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
    import issue

    kernels, emulated = listed(), importlib.import_module("conftest").load("depthwise_xcorr_few", "plain")
    head = f"{'':<44} {'threads':>7} {'shared':>7} {'issued':>7} {'multiply-adds':>13} {'useful':>7}"
    print(head, *(f"{device.name.split()[0]:>7}" for device in DEVICES))
    for name, case in CASES.items():
        if case.maps < 16:
            continue  # the same blocks, but for fewer outputs of a map in one
        for what, (search, template, options, products, sums) in calls(case._replace(maps=TIMES * case.maps)).items():
            tiling = emulated.tiling(search, template, **options)
            square, rows = tiling["square"], tiling["rows"]
            kernel = kernels[
                f"depthwise_xcorr_square_kernel<float, {square}, {rows}>"
                if square
                else f"depthwise_xcorr_kernel<float, {rows}, int>"
            ]
            block = (tiling["lanes"], tiling["channels"], tiling["groups"] * tiling["parts"])
            counts = issue.issued(kernel, b"".join(tiling["parameters"]), block)
            times = tiling["together"] * sums
            every = counts.total() / times
            multiplied = sum(n for place, n in counts.items() if kernel.instructions[place].multiplies) / times
            useful = tiling["channels"] * products / 32
            chunks = case.channels / tiling["channels"]  # of all maps and templates
            pairs = TIMES * case.maps * case.templates * chunks
            outputs = case.channels * options["h"] * options["w"] * TIMES * case.maps * case.templates // sums
            moved = 4 * (search.size + template.size + outputs)
            print(
                f"{name + ', ' + what:<44} {tiling['threads']:>7} {tiling['shared_bytes']:>7} {every:>7.0f} "
                f"{multiplied / every:>13.0%} {useful / every:>7.0%}",
                *(f"{time(device, pairs * every, pairs * multiplied, moved):>7.3f}" for device in DEVICES),
                flush=True,
            )


def time(device: Device, issued: float, multiplied: float, moved: float) -> float:
    """Milliseconds of one call."""
    cycles = max(issued / ISSUED, multiplied / device.multiply_adds)
    return 1e3 * max(cycles / device.cycles, moved / (device.terabytes * 1e12))


if __name__ == "__main__":
    main()
