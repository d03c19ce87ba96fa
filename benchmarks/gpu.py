"""What the GPU benchmarks share: timing by events, the speed of a copy, and a file of results that grows."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import reidops


def milliseconds(run: Callable[[], Any], repeats: int = 10) -> float:
    """The median over CUDA events, after warming up."""
    for _ in range(2):
        run()
    times = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def copy_rate(size: int = 1 << 30) -> float:
    """TB/s, bytes read and written, of a copy of so many float32 numbers."""
    source, target = torch.rand(size, device="cuda"), torch.empty(size, device="cuda")
    return 2 * 4 * size / milliseconds(lambda: target.copy_(source)) / 1e9


def parser(description: str | None) -> argparse.ArgumentParser:
    """`--out`; where there are no CUDA kernels nothing runs."""
    if reidops._library.CUDA_MISSING is not None:
        raise SystemExit(f"no CUDA kernels to time: {reidops._library.CUDA_MISSING}")
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("--out", type=Path, required=True, help="JSON file for all figures")
    return found


class Results:
    """Rows on the screen and in a file, which is written after every part, should a later one fail."""

    def __init__(self, out: Path, ceilings: dict[str, float]) -> None:
        device = torch.cuda.get_device_properties(0)
        self.out = out
        self.rows: list[dict[str, Any]] = []
        self.values: dict[str, Any] = {
            "device": device.name,
            "multiprocessors": device.multi_processor_count,
            "torch": torch.__version__,
            "ceilings": ceilings,
            "rows": self.rows,
        }
        print(device.name, ceilings)

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Rows with a `case`, a `what`, and figures."""
        for row in rows:
            figures = [f"{value:.4g} {key}" for key, value in row.items() if isinstance(value, float)]
            print(f"{row['case']:<36} {row['what']:<30} {'   '.join(figures)}", flush=True)
        self.rows += rows
        self.out.write_text(json.dumps(self.values, indent=2))
