"""affine_sample on a GPU beside torch's affine_grid, expand and grid_sample, and a copy of the output's bytes.

    python -m benchmarks.gpu_affine_sample --out results.json

Sizes are those of `bench_affine_sample`, with as many pictures as make the output about 200 MiB, more than any cache.
Maps zoom and turn a little, or are boxes, which only zoom.
`of the copy`: the bytes that must move (the output written and the pictures read once; backward, the output's gradient
and the pictures read, the gradients written) over the time, as a share of the rate of a copy in the same run.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .bench_affine_sample import CASES, Case, inputs, sampled, sampled_by_torch
from .gpu import Results, copy_rate, milliseconds, parser

OUTPUT = 200 << 20  # bytes


def enlarged(case: Case) -> Case:
    """The case with more pictures."""
    one = 4 * case.maps * case.channels * case.sampled[0] * case.sampled[1]
    return case._replace(pictures=max(case.pictures, OUTPUT // one))


def rows_of(
    name: str, case: Case, dtype: torch.dtype, rate: float, channels_last: bool, boxes: bool
) -> list[dict[str, Any]]:
    pictures, theta = (value.to("cuda", dtype) for value in inputs(case))
    if boxes:  # no rotation
        theta[..., 0, 1] = theta[..., 1, 0] = 0
    if channels_last:
        pictures = pictures.contiguous(memory_format=torch.channels_last)
    output = sampled(pictures, theta, case.sampled)
    grad = torch.rand_like(output)
    forward_bytes = output.nbytes + pictures.nbytes
    layout = ", channels last" if channels_last else ""
    kind = ", boxes" if boxes else ""
    title = f"{name}, {case.pictures} x {case.maps}, {str(dtype).removeprefix('torch.')}{layout}{kind}"

    def row(what: str, run: Callable[[], Any], moved: int) -> dict[str, Any]:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        took = milliseconds(run)
        peak = (torch.cuda.max_memory_allocated() - before) / 2**20
        return {"case": title, "what": what, "ms": took, "of the copy": moved / took / 1e9 / rate, "peak MiB": peak}

    def gradients(function: Callable[..., Tensor], of_pictures: bool, of_theta: bool) -> Callable[[], Any]:
        given = pictures.detach().requires_grad_(of_pictures), theta.detach().requires_grad_(of_theta)
        wanted = [value for value in given if value.requires_grad]
        result = function(*given, case.sampled)
        return lambda: torch.autograd.grad(result, wanted, grad, retain_graph=True)

    rows = []
    for what, function in (("affine_sample", sampled), ("torch", sampled_by_torch)):
        with torch.no_grad():
            rows.append(row(what, partial(function, pictures, theta, case.sampled), forward_bytes))
        for of, flags in (("theta", (False, True)), ("pictures", (True, False))):
            moved = forward_bytes + (pictures.nbytes if of == "pictures" else 0)
            rows.append(row(f"{what}, gradient of {of}", gradients(function, *flags), moved))
    return rows


def main() -> None:
    arguments = parser(__doc__).parse_args()
    rate = copy_rate()
    results = Results(arguments.out, {"copy, TB/s": rate})
    for name, case in CASES.items():
        for dtype in (torch.float32, torch.float16):
            for channels_last in (False, True):
                for boxes in (False, True):
                    results.add(rows_of(name, enlarged(case), dtype, rate, channels_last, boxes))


if __name__ == "__main__":
    main()
