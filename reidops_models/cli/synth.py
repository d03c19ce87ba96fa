"""`reidops synth`: write the benchmark of drawn people."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidops_models.cli.arguments import natural_number
from reidops_models.cli.console import show_progress

SUMMARY = "write the synthetic benchmark of drawn people"
DESCRIPTION = """\
Draw people and write them as a data set in Market-1501 layout: training, query
and gallery pictures, partial and occluded probes, a validation split of other
identities, and the exact person frame and keypoints of every picture
(annotations.json). The same size and seed give the same pictures.
"""
EXAMPLES = """\
examples:
  reidops synth people
  reidops synth people --size medium --seed 1
"""

SIZES = ("tiny", "small", "medium")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    parser.add_argument("--size", choices=SIZES, default="small", help="how many people (default: %(default)s)")
    parser.add_argument("--seed", type=natural_number, default=0, help="which people (default: %(default)s)")


def run(options: argparse.Namespace) -> int:
    from reidops_models.data import write_synthetic

    write_synthetic(options.out, size=options.size, seed=options.seed, progress=show_progress())
    print(f"written: {options.out}")
    return 0
