"""Table 3 of the DSR paper: seconds to identify one probe, and who is how much slower than DSR."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from reidops_models.evaluation import markdown_table
from reidops_models.matching import Matcher
from reidops_models.reproduction import Search, Table
from reidops_models.reproduction.dsr import published
from reidops_models.reproduction.dsr.experiments import FINE_TUNED, DsrRuns

ROWS = ("Resizing model", "AMC", "SWM", "DSR single-scale", "DSR multi-scale")
PROBES = 15  # timed, spread over all
REFERENCE = "DSR single-scale"


def build_timing(runs: DsrRuns) -> Table:
    """One seed: what the gallery needs is made beforehand, where a method can; the probe passes the network and is
    compared with the whole gallery."""
    seed = runs.study.seeds[0]
    search = runs.search(seed)
    matchers = runs.matchers(seed, FINE_TUNED)
    searches = {1: search.single_shot, 3: search}
    seconds = {name: {n: _seconds(matchers[name], one) for n, one in searches.items()} for name in ROWS}
    middle = {name: {n: float(np.median(times)) for n, times in by.items()} for name, by in seconds.items()}

    header = ["seconds a probe", *(f"N = {n}" for n in searches), *(f"over DSR, N = {n}" for n in searches)]
    header += [f"paper, N = {n}" for n in searches] + [f"paper over DSR, N = {n}" for n in searches]
    lines = [header]
    for name in ROWS:
        printed, base = published.TABLE_3[name], published.TABLE_3[REFERENCE]
        lines.append(
            [
                name,
                *(f"**{middle[name][n]:.4f}**" for n in searches),
                *(f"**{middle[name][n] / middle[REFERENCE][n]:.2f}**" for n in searches),
                *(f"{printed[n]:.3f}" for n in searches),
                *(f"{printed[n] / base[n]:.2f}" for n in searches),
            ]
        )
    verdicts = [["claim of the paper", "N = 1", "N = 3"]]
    for rival in ("Resizing model", "AMC", "SWM"):
        verdicts.append(
            [f"DSR is faster than {rival}", *(_verdict(seconds[rival][n], seconds[REFERENCE][n]) for n in searches)]
        )
    device = f"{_processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    return Table(
        "table3",
        "Seconds to identify a probe (table 3)",
        text=f"{markdown_table(lines)}\n\n{markdown_table(verdicts)}",
        values={"seconds": seconds, "device": device},
        notes=[
            f"Ours: {device}; medians of {PROBES} probes searched in {len(search.people)} people. The paper: i7-4770. "
            "Only ratios can be compared.",
            "The gallery's features are made beforehand, but for SWM, whose windows depend on the probe.",
            "A claim holds where three quarters of the rival's times are above three quarters of DSR's.",
        ],
    )


def _seconds(matcher: Matcher, search: Search) -> list[float]:
    gallery = matcher.embed(search.gallery)
    step = max(1, len(search.probes) // PROBES)
    times = []
    for probe in [search.probes[0], *search.probes[::step][:PROBES]]:  # the first one warms up
        start = time.perf_counter()
        matcher.distances(matcher.embed([probe], role="probe"), gallery)
        times.append(time.perf_counter() - start)
    return times[1:]


def _verdict(rival: Sequence[float], ours: Sequence[float]) -> str:
    if np.quantile(rival, 0.25) > np.quantile(ours, 0.75):
        return "**holds**"
    slower = np.quantile(rival, 0.75) < np.quantile(ours, 0.25)
    return "**does not hold**" if slower else "**cannot be told at this size**"


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()
