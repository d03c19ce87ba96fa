"""`reidops synth`: write the benchmark of drawn people."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidops_models.cli.arguments import natural_number, positive_int
from reidops_models.cli.console import show_progress
from reidops_models.cli.parser import CommandParser

SUMMARY = "write the synthetic benchmark of drawn people"
DESCRIPTION = """\
Draw people and write them as a data set in Market-1501 layout: training, query
and gallery images, partial and occluded probes, a validation split of other
identities, and the exact person frame and keypoints of every image
(annotations.json). The same size and seed give the same images.
"""
EXAMPLES = """\
examples:
  reidops synth people
  reidops synth people --size medium --seed 1
  reidops synth crowd --strangers 40       probes whose person is not in the gallery
  reidops synth --sheet people.png         a sheet of examples, and no data set
"""

GROUP = 4  # people who look alike; the library has the number, too, but takes long to import
SIZES = ("tiny", "small", "medium")


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("out", type=Path, nargs="?", metavar="OUT", help="folder to write")
    parser.add_argument("--size", choices=SIZES, default="small", help="how many people (default: %(default)s)")
    parser.add_argument("--seed", type=natural_number, default=0, help="which people (default: %(default)s)")
    parser.add_argument(
        "--strangers",
        type=whole_groups,
        metavar="N",
        help="people who are searched for and are not in the gallery, a multiple of 4 (default: none)",
    )
    parser.add_argument(
        "--workers", type=positive_int, metavar="N", help="processes that draw (default: one for each CPU)"
    )
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="write a sheet of example images to this PNG file")


def whole_groups(text: str) -> int:
    """An argparse type: so many people that no group of look-alikes is cut in two."""
    number = natural_number(text)
    if number % GROUP:
        raise argparse.ArgumentTypeError(f"expected a multiple of {GROUP}, got {text!r}")
    return number


def run(options: argparse.Namespace) -> int:
    from reidops_models.data import write_synthetic
    from reidops_models.data.synthetic.sheet import save_sheet

    if options.out is None and options.sheet is None:
        options.parser.error("the following arguments are required: OUT, or --sheet FILE")
    if options.sheet is not None:
        print(f"written: {save_sheet(options.sheet, options.seed)}")
    if options.out is not None:
        write_synthetic(
            options.out,
            size=options.size,
            seed=options.seed,
            strangers=options.strangers,
            workers=options.workers,
            progress=show_progress(),
        )
        print(f"written: {options.out}")
    return 0
