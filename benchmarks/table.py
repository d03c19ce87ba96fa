"""Turns the JSON of pytest-benchmark into the tables of the docs: ``python -m benchmarks.table results.json``.

Times are medians; in each group every row also stands as a ratio to the floor, the group's first row.
"""

from __future__ import annotations

import argparse
import json
from itertools import groupby
from pathlib import Path
from typing import Any


def label(bench: dict[str, Any]) -> str:
    params = bench.get("params") or {}
    return str(params.get("solver") or bench["name"].split("[")[0].removeprefix("test_").replace("_", " "))


def tables(results: dict[str, Any]) -> str:
    machine = results["machine_info"]
    threads = {bench["extra_info"]["threads"] for bench in results["benchmarks"]}
    lines = [
        f"{machine['cpu'].get('brand_raw', machine['machine'])}, {' or '.join(map(str, sorted(threads)))} threads, "
        f"commit {results['commit_info']['id'][:7]}{', changed' if results['commit_info']['dirty'] else ''}."
    ]
    benches = sorted(results["benchmarks"], key=lambda bench: bench["group"])
    for group, members in groupby(benches, key=lambda bench: bench["group"]):
        rows = [row(bench) for bench in members]
        unit = rows[0][1]
        floor = next((time for name, _, time, _ in rows if name.startswith("floor")), None)
        reference = floor if floor is not None else min(time for _, _, time, _ in rows)
        over = "floor" if floor is not None else "fastest"
        with_gap = any(gap for *_, gap in rows)
        lines += ["", f"**{group}**", "", line("", unit, f"over the {over}", *["largest gap"] * with_gap)]
        lines.append("|---" * (3 + with_gap) + "|")
        for name, _, time, gap in sorted(rows, key=lambda one: one[2]):
            lines.append(line(name, f"{time:.4g}", f"{time / reference:.2f}", *[gap] * with_gap))
    return "\n".join(lines)


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def row(bench: dict[str, Any]) -> tuple[str, str, float, str]:
    info = bench["extra_info"]
    median = bench["stats"]["median"]
    gap = f"{info['largest_gap']:.1e}" if "largest_gap" in info else ""
    if "calls" in info:
        return label(bench), "ms a call", 1e3 * median / info["calls"], gap
    if "images" in info:
        return label(bench), "ms an image", 1e3 * median / info["images"], gap
    if "pairs" in info:
        return label(bench), "ms a pair", 1e3 * median / info["pairs"], gap
    return label(bench), "us a column", 1e6 * median / info["columns"], gap


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("json", type=Path, nargs="+")
    for path in parser.parse_args().json:
        print(tables(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
