"""`reidops data check`: what a data set is, what it holds, and whether it is complete."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidops_models.cli.arguments import add_setting_argument
from reidops_models.cli.console import FAILED, PARTIAL, complain

SUMMARY = "what a data set holds, and whether it is complete"
DESCRIPTION = "Look at data sets as they are unpacked."
EXAMPLES = """\
examples:
  reidops data check Market-1501-v15.09.15
  reidops data check cuhk03_release --setting labeled-old-0
"""

CHECK = """\
Say which data set each folder is, what it holds, and whether the counts are as
they were published. The exit code is 1 where a folder cannot be read as a data
set, and 2 where none can.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    check = actions.add_parser("check", help="describe data sets and check their counts", description=CHECK)
    check.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="data set, as it is unpacked")
    add_setting_argument(check)


def run(options: argparse.Namespace) -> int:
    from reidops_models.data import DatasetError, describe, load_dataset

    failed = 0
    for folder in options.folders:
        try:
            print(describe(load_dataset(folder, setting=options.setting)), flush=True)
        except DatasetError as error:
            complain(str(error))
            failed += 1
    if not failed:
        return 0
    return PARTIAL if failed < len(options.folders) else FAILED
