"""`reidops merge`: the STN module of one checkpoint and the ReID module of another in one network."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "join an STN module and a ReID module of stnreid"
DESCRIPTION = """\
Put the STN module of one checkpoint of stnreid and the ReID module of another
into one network (STNReID, sec. 3.2, Merge Mode). Both were trained on images of
one size. The recipe is that of the ReID module.
"""
EXAMPLES = """\
examples:
  reidops merge --stn runs/stage1/model --reid runs/strong/model --out runs/merged/model
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stn", required=True, metavar="FILE", help="checkpoint with the STN module")
    parser.add_argument("--reid", required=True, metavar="FILE", help="checkpoint with the ReID module")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="checkpoint to write")


def run(options: argparse.Namespace) -> int:
    from reidops_models.checkpoint import load_checkpoint, save_checkpoint
    from reidops_models.stnreid.merge import merge

    stn, reid = (load_checkpoint(path, model="stnreid") for path in (options.stn, options.reid))
    print(f"written: {save_checkpoint(options.out, merge(stn, reid))}")
    return 0
