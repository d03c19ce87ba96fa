"""What the GPU benchmarks share: timing by events, ceilings measured in the same run, and a file of results that grows.

Each times public functions alone, and torch beside them. With `--rehearse` it runs on the CPU at sizes made small, to
be tried out where there is no GPU: no figure of such a run means anything.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import reidops

Row = dict[str, Any]  # a `case`, a `what`, and figures


@dataclass(frozen=True)
class Bench:
    """Where things run, and how their time is taken."""

    device: torch.device

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Bench:
        """Where there are no CUDA kernels nothing runs, but in a rehearsal."""
        if arguments.rehearse:
            return cls(torch.device("cpu"))
        if reidops._library.CUDA_MISSING is not None:
            raise SystemExit(f"no CUDA kernels to time: {reidops._library.CUDA_MISSING}")
        return cls(torch.device("cuda"))

    @property
    def rehearses(self) -> bool:
        return self.device.type == "cpu"

    def milliseconds(self, run: Callable[[], Any], repeats: int = 10) -> float:
        """The median over CUDA events, after warming up."""
        if self.rehearses:
            start = time.perf_counter()
            run()
            return 1e3 * (time.perf_counter() - start)
        for _ in range(2):
            run()
        times = []
        for _ in range(repeats):
            before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            before.record()
            run()
            after.record()
            after.synchronize()
            times.append(before.elapsed_time(after))
        return statistics.median(times)

    def measured(self, run: Callable[[], Any], repeats: int = 10) -> dict[str, float]:
        """`ms`, and the memory that was taken meanwhile, `peak MiB`."""
        if self.rehearses:
            return {"ms": self.milliseconds(run)}
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        took = self.milliseconds(run, repeats)
        return {"ms": took, "peak MiB": (torch.cuda.max_memory_allocated() - before) / 2**20}

    def seconds(self, run: Callable[[], Any]) -> float:
        """Of one call, from its start to the end of all that it queued."""
        self.wait()
        start = time.perf_counter()
        run()
        self.wait()
        return time.perf_counter() - start

    def wait(self) -> None:
        if not self.rehearses:
            torch.cuda.synchronize()

    def copy_rate(self) -> float:
        """TB/s, bytes read and written, of a copy of float32 numbers in memory."""
        size = 1 << (10 if self.rehearses else 30)
        source, target = torch.rand(size, device=self.device), torch.empty(size, device=self.device)
        return 2 * 4 * size / self.milliseconds(lambda: target.copy_(source)) / 1e9

    def product_rate(self, dtype: torch.dtype) -> float:
        """TFLOP/s of a large matrix product with a result in float32, which half maps of `dsr_distance` ask for."""
        rows, columns, channels = (16, 32, 8) if self.rehearses else (4096, 32768, 2048)
        left, right = (torch.rand(n, channels, device=self.device).to(dtype) for n in (rows, columns))
        return 2 * rows * columns * channels / self.milliseconds(lambda: product(left, right)) / 1e9


def product(left: Tensor, right: Tensor) -> Tensor:
    """Left Right' in float32: halves are multiplied exactly and summed in float32."""
    if left.dtype == torch.float32:
        return left @ right.mT
    if not left.is_cuda:
        return left.float() @ right.float().mT
    return torch.mm(left, right.mT, out_dtype=torch.float32)


def named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def parser(description: str | None) -> argparse.ArgumentParser:
    """`--out` and `--rehearse`."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--out", type=Path, required=True, help="JSON file for all figures")
    found.add_argument("--rehearse", action="store_true", help="on the CPU, at small sizes; the figures mean nothing")
    return found


class Results:
    """Rows on the screen and in a file, which is written after every part, should a later one fail."""

    def __init__(self, out: Path, bench: Bench, ceilings: dict[str, float]) -> None:
        self.out = out
        self.rows: list[Row] = []
        self.values: dict[str, Any] = {
            "device": "a rehearsal on the CPU",
            "torch": torch.__version__,
            "ceilings": ceilings,
            "rows": self.rows,
        }
        if not bench.rehearses:
            device = torch.cuda.get_device_properties(0)
            self.values.update(device=device.name, multiprocessors=device.multi_processor_count)
        print(self.values["device"], ceilings)

    def add(self, rows: list[Row]) -> None:
        for row in rows:
            figures = [f"{value:.4g} {key}" for key, value in row.items() if isinstance(value, float)]
            print(f"{row['case']:<40} {row['what']:<36} {'   '.join(figures)}", flush=True)
        self.rows += rows
        self.out.write_text(json.dumps(self.values, indent=2))
