"""affine_sample on a GPU beside torch's affine_grid, expand and grid_sample, and a copy of the output's bytes.

    python -m benchmarks.gpu_affine_sample --out results.json

Sizes are those of `bench_affine_sample`, with as many pictures as make the output about 200 MiB, more than any cache;
maps are turned a little, or boxes.  `of the copy`: the bytes that must move (the output written and the pictures read
once; backward, the output's gradient and the pictures read, the gradients written) over the time, as a share of the
rate of a copy in the same run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .bench_affine_sample import CASES, Case, inputs, sampled, sampled_by_torch
from .gpu import Bench, Results, Row, named, parser

OUTPUT = 200 << 20  # bytes
TINY = Case(2, 3, 5, (9, 7), (4, 6))


class Variant(NamedTuple):
    """How a case's pictures lie in memory and what its maps are."""

    dtype: torch.dtype
    channels_last: bool
    boxes: bool  #: maps without rotation

    def __str__(self) -> str:
        layout = ", channels last" if self.channels_last else ""
        return f"{named(self.dtype)}, {'boxes' if self.boxes else 'turned'}{layout}"


VARIANTS = [
    Variant(dtype, channels_last, boxes)
    for dtype in (torch.float32, torch.float16)
    for boxes in (False, True)
    for channels_last in (False, True)
]


def enlarged(case: Case) -> Case:
    """The case with more pictures."""
    one = 4 * case.maps * case.channels * case.sampled[0] * case.sampled[1]
    return case._replace(pictures=max(case.pictures, OUTPUT // one))


def operands(case: Case, variant: Variant, device: torch.device) -> tuple[Tensor, Tensor]:
    pictures, theta = (value.to(device, variant.dtype) for value in inputs(case))
    if variant.channels_last:
        pictures = pictures.contiguous(memory_format=torch.channels_last)
    if variant.boxes:
        theta[..., 0, 1] = theta[..., 1, 0] = 0
    return pictures, theta


def rows_of(name: str, case: Case, variant: Variant, bench: Bench, rate: float) -> list[Row]:
    pictures, theta = operands(case, variant, bench.device)
    output = sampled(pictures, theta, case.sampled)
    grad = torch.rand_like(output)
    forward_bytes = output.nbytes + pictures.nbytes
    title = f"{name}, {case.pictures} x {case.maps}, {variant}"

    def row(what: str, run: Callable[[], Any], moved: int) -> Row:
        figures = bench.measured(run)
        return {"case": title, "what": what, **figures, "of the copy": moved / figures["ms"] / 1e9 / rate}

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


def main(given: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__).parse_args(given)
    bench = Bench.of(arguments)
    rate = bench.copy_rate()
    results = Results(arguments.out, bench, {"copy, TB/s": rate})
    cases = {"tiny": TINY} if bench.rehearses else {name: enlarged(case) for name, case in CASES.items()}
    for name, case in cases.items():
        for variant in VARIANTS:
            results.add(rows_of(name, case, variant, bench, rate))


if __name__ == "__main__":
    main()
