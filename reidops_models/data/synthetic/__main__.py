"""`python -m reidops_models.data.synthetic`: write the benchmark, or a sheet of its pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .benchmark import SIZES, write_synthetic
from .sheet import save_sheet

_EXAMPLES = """examples:
  python -m reidops_models.data.synthetic people --size small --seed 1
  python -m reidops_models.data.synthetic --sheet people.png
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(
        "python -m reidops_models.data.synthetic",
        description="Draw people: a benchmark in Market-1501 layout with partial and occluded probes.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", help="where to write the benchmark")
    parser.add_argument("--size", choices=SIZES, default="small", help="how many people and pictures (default: small)")
    parser.add_argument("--seed", type=int, default=0, help="decides everything (default: 0)")
    parser.add_argument("--workers", type=int, help="processes that draw (default: one for each CPU)")
    parser.add_argument("--sheet", metavar="FILE", help="write a sheet of example pictures to this PNG file")
    options = parser.parse_args(arguments)
    if not (options.folder or options.sheet):
        parser.error("name a folder to write, or --sheet FILE")
    try:
        if options.sheet:
            print(save_sheet(options.sheet, options.seed))
        if options.folder:
            size, seed, workers = options.size, options.seed, options.workers
            print(write_synthetic(options.folder, size, seed, workers=workers, progress=sys.stderr.isatty()))
    except (OSError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
