"""`python -m reidops_models.data FOLDER`: what a data set is, what it holds, and whether it is complete."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .dataset import DatasetError
from .doctor import describe
from .load import load_dataset


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(
        "python -m reidops_models.data", description="Describe a data set and check its counts."
    )
    parser.add_argument("folder", nargs="+", help="a data set as it is unpacked")
    parser.add_argument("--setting", help="of a data set that has several: labeled-old-0, 871-0, 0")
    status = 0
    options = parser.parse_args(arguments)
    for folder in options.folder:
        try:
            print(describe(load_dataset(folder, setting=options.setting)))
        except DatasetError as error:
            print(f"{parser.prog}: {error}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
