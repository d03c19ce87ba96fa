"""Runs the sweeps, prints our lead over the fastest rival of each case, and draws it.

    python -m benchmarks.sweep [OPERATOR ...] [--only WORD ...] [--every N] [--seconds S] [--json FILE] [--picture FILE]

All ways to compute a case take turns in one process, and the least time of each counts: another process on the machine
then slows all of them, and the least times the least. A rival that is not installed is left out.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from .picture import draw

OPERATORS = ("affine_sample", "depthwise_xcorr", "sparse_reconstruct", "dsr_distance")
FEWEST_ROUNDS, MOST_ROUNDS = 4, 300
HOPELESS = 20  # times the fastest: measured once


class Result(NamedTuple):
    """One case."""

    operator: str
    case: str
    milliseconds: dict[str, float]  #: of each way

    @property
    def lead(self) -> float:
        """The fastest rival's time over ours: above 1 we lead."""
        return min(self.milliseconds[way] for way in self.rivals) / self.milliseconds["reidops"]

    @property
    def rivals(self) -> list[str]:
        """The ways that are not ours, the fastest first."""
        return sorted((way for way in self.milliseconds if way != "reidops"), key=lambda way: self.milliseconds[way])


def least_times(ways: dict[str, Callable[[], Any]], seconds: float) -> dict[str, float]:
    """Milliseconds of each, measured in turns."""
    least = dict.fromkeys(ways, float("inf"))
    end, rounds = time.perf_counter() + seconds, 0
    while rounds < FEWEST_ROUNDS or (time.perf_counter() < end and rounds < MOST_ROUNDS):
        for name, way in ways.items():
            if rounds > 1 and least[name] > HOPELESS * min(least.values()):
                continue
            start = time.perf_counter()
            way()
            least[name] = min(least[name], 1e3 * (time.perf_counter() - start))
        rounds += 1
    return least


def run(operator: str, only: Sequence[str], every: int, seconds: float) -> list[Result]:
    module = importlib.import_module(f"benchmarks.sweep.{operator}")
    results = []
    for case in [case for case in module.CASES if all(word in case.name for word in only)][::every]:
        result = Result(operator, case.name, least_times(module.rivals(case), seconds))
        results.append(result)
        rest = ", ".join(f"{way} {result.milliseconds[way]:.3f}" for way in result.rivals)
        print(f"{result.lead:7.2f}  {case.name}: {result.milliseconds['reidops']:.3f}; {rest}", flush=True)
    behind = sum(result.lead < 1 for result in results)
    print(f"{operator}: behind in {behind} of {len(results)} cases", flush=True)
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("operators", nargs="*", default=OPERATORS, metavar="OPERATOR", help=", ".join(OPERATORS))
    parser.add_argument(
        "--only", nargs="+", default=(), metavar="WORD", help="cases that have all these in their names"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th of them")
    parser.add_argument("--seconds", type=float, default=0.4, help="for each case")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the times go")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="where the picture goes")
    options = parser.parse_args()
    results = [
        result
        for operator in options.operators
        for result in run(operator, options.only, options.every, options.seconds)
    ]
    if options.json:
        machine = {"machine": platform.machine(), "threads": torch.get_num_threads(), "torch": torch.__version__}
        options.json.write_text(json.dumps({**machine, "results": [one._asdict() for one in results]}, indent=1))
    if options.picture:
        draw([(one.operator, one.case, one.lead, one.rivals[0]) for one in results], options.picture)


if __name__ == "__main__":
    main()
