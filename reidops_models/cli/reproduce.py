"""`reidops reproduce`: a paper's tables in miniature, with verdicts."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from reidops_models.cli.arguments import add_device_argument, name_list, training_seed
from reidops_models.cli.console import CommandError, show_progress
from reidops_models.paper import paper_names

SUMMARY = "a paper's tables in miniature, beside the printed ones"
DESCRIPTION = """\
Draw people, train what a table needs, and set what comes out beside what the
paper printed: intervals over identities, and for every claim of the paper
whether it holds, does not hold, or cannot be told at this size. Each seed has
its own people, cameras and initialisation.

What has been trained or computed into --out is not done again, so another
table is quick, and an interrupted run goes on where it was.
"""
EXAMPLES = """\
examples:
  reidops reproduce dsr --table table1
  reidops reproduce dsr --table figure9,scale --seeds 0,1,2,3,4
  reidops reproduce dsr --table all --out reproduction
  reidops reproduce stnreid --table table2
  reidops reproduce csn --table table3,table4
  reidops reproduce dpti --table table4
  reidops reproduce dsr --table figure13 --size tiny   a rehearsal; its numbers mean nothing

In --out: NAME.md, NAME.json and images for each table.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paper", help=", ".join(paper_names()))
    parser.add_argument("--table", type=name_list, required=True, metavar="A,B", help="names of tables, or all")
    parser.add_argument(
        "--seeds",
        type=lambda text: tuple(training_seed(part) for part in name_list(text)),
        default=(0, 1, 2),
        metavar="0,1,2",
        help="default: 0,1,2",
    )
    parser.add_argument("--size", choices=["tiny", "small", "medium"], default="small", help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("reproduction"), metavar="DIR", help="default: %(default)s")
    add_device_argument(
        parser, what="auto, cpu, cuda or cuda:N, where networks are trained and distances computed (default: auto)"
    )


def run(options: argparse.Namespace) -> int:
    from reidops_models.devices import find_device
    from reidops_models.reproduction import Study, tables_of

    if options.paper not in paper_names():
        raise CommandError(f"unknown paper {options.paper!r}; known: {', '.join(paper_names())}")
    try:
        tables = tables_of(options.paper)
    except KeyError as error:
        raise CommandError(error.args[0]) from None
    names = list(tables) if options.table == ["all"] else options.table
    for name in names:
        if name not in tables:
            raise CommandError(f"--table: unknown {name!r}; {options.paper} has {', '.join(tables)}, or all")
    if not options.seeds or len(set(options.seeds)) < len(options.seeds):
        raise CommandError(f"--seeds: expected different numbers, got {','.join(map(str, options.seeds)) or 'none'}")

    start = time.monotonic()

    def say(step: str) -> None:
        print(f"[{time.monotonic() - start:4.0f} s] {step}", flush=True)

    study = Study(options.out, options.seeds, options.size, show_progress(), say, find_device(options.device))
    for name in names:
        table = tables[name](study)
        written = table.write(options.out)
        if options.size == "tiny":
            print("A rehearsal: these numbers mean nothing.")
        print(table.markdown())
        say(f"written: {', '.join(str(path) for path in written)}")
    return 0
