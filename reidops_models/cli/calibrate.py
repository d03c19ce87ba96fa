"""`reidops calibrate`: what the distances of a checkpoint mean, learnt from validation people."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidops_models.cli.arguments import (
    add_model_arguments,
    add_setting_argument,
    checkpoint_path,
    gigabytes,
    load_chosen,
    matching_options,
)
from reidops_models.cli.console import CommandError, print_table, show_progress
from reidops_models.cli.parser import CommandParser

SUMMARY = "thresholds and probabilities of a checkpoint, from validation people"
DESCRIPTION = """\
Compare people whom the checkpoint was not trained on, and learn from them which
distance accepts how many wrong pairs, and how probable it is that two pictures
at a distance show one person. The calibration names the data it was made on. It
lies beside the checkpoint, where evaluate finds it and holds it against other
people; `reidops gallery calibrate` gives it to a gallery, for `search
--threshold fpr=0.01`.
"""
EXAMPLES = """\
examples:
  reidops calibrate --data people/validation --checkpoint runs/demo/model
  reidops calibrate --data people/validation --model dsr --out dsr.calibration.json
  reidops calibrate --data people/validation --checkpoint runs/demo/model --method dsr-single-scale --beta 0.2
"""

SHOWN = (0.001, 0.01, 0.1)  # false positive rates


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data set of validation people")
    parser.add_argument(
        "--probes",
        metavar="NAME",
        help="a probe set of the data (default: partial_query where there is one, else query)",
    )
    add_setting_argument(parser)
    parser.add_argument("--method", metavar="NAME", help="a method of the model (default: the paper's)")
    add_model_arguments(parser)
    parser.add_argument("--memory", type=gigabytes, default=4 << 30, metavar="GB", help="as of evaluate (default: 4)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: NAME.calibration.json beside the checkpoint")


def run(options: argparse.Namespace) -> int:
    from reidops_models.data import describe, load_dataset
    from reidops_models.retrieval.calibration import calibrate_model, calibration_path

    if options.out is None and options.checkpoint is None:
        raise CommandError("--out: expected a file, because a shipped checkpoint keeps no calibration of yours")
    checkpoint = load_chosen(options)
    dataset = load_dataset(options.data, setting=options.setting)
    print(describe(dataset), flush=True)
    found = calibrate_model(
        checkpoint,
        dataset,
        probes=options.probes,
        method=options.method,
        options=matching_options(options, checkpoint.paper),
        memory=options.memory,
        progress=show_progress(),
    )
    known = dict(found.thresholds)
    rows = [
        [f"{100 * rate:g} %", f"{known[rate]:.4g}", f"{100 * found.probability(known[rate]):.1f} %"]
        for rate in SHOWN
        if rate in known
    ]
    print(f"\n{found.method}: {found.data}")
    print_table(["FPR", "distance", "probability there"], rows)
    print(f"{found.right_pairs} pairs of one person and {found.wrong_pairs} of two; {found.people} people.")
    print(f"written: {found.save(options.out or calibration_path(checkpoint_path(options)))}")
    return 0
