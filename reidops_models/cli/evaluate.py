"""`reidops evaluate`: CMC, mAP and mINP of a checkpoint on a data set."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidops_models.cli.arguments import (
    add_model_arguments,
    add_setting_argument,
    add_workers_argument,
    load_chosen,
    name_list,
    natural_number,
    positive_int,
)
from reidops_models.cli.console import print_evaluation, show_progress
from reidops_models.cli.parser import CommandParser
from reidops_models.cli.stages import add_stage_arguments, load_stages, stages_of

SUMMARY = "CMC, mAP, mINP and ROC on a data set"
DESCRIPTION = """\
Rank a data set's gallery for each of its probes, by every method of the model.
Print what the data set holds, then CMC, mAP, mINP and true positive rates with
95 % bootstrap intervals over identities. The data set may be Market-1501 or in
its layout, DukeMTMC-reID, Occluded-Duke, MSMT17, Partial-REID, Occluded-REID,
Partial-iLIDS, CUHK03, CUHK01 or VIPeR, as it is unpacked, or a CSV file with
the columns path, pid, camid, split.

Choose options such as --beta on DATA/validation, and report on DATA.
"""
EXAMPLES = """\
examples:
  reidops evaluate --data people
  reidops evaluate --data people/validation --probes query --beta 0.2
  reidops evaluate --data people --checkpoint runs/demo/model --out results
  reidops evaluate --data people --methods resizing-model,dsr-single-scale
  reidops evaluate --data Partial-REID --query occluded
  reidops evaluate --data cuhk03_release --setting labeled-old-0 --shots 1 --model csn
  reidops evaluate --data Partial-REID --shots 3          mean over 3 images per person
  reidops evaluate --data people --shortlist 20 --rerank dsr
  reidops evaluate --data people --shortlist 20 --exact --methods dsr-multi-scale
  reidops evaluate --data people --k-reciprocal
  reidops evaluate --data people --rivals                 with SWM, AMC and AMC+SWM: slow

In --out: evaluation.json, table.md, cmc.png, roc.png, and report.html, which
draws some probes.
"""


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data set, as it is unpacked")
    parser.add_argument(
        "--probes",
        metavar="NAME",
        help="query, or another probe set of the data (default: partial_query where there is one, else query)",
    )
    parser.add_argument(
        "--query", choices=["partial", "occluded"], help="which folder of Partial-REID the query is (default: partial)"
    )
    add_setting_argument(parser)
    parser.add_argument(
        "--shots",
        type=positive_int,
        metavar="N",
        help="rank people by the mean over N of their images, drawn at random (default: rank all images)",
    )
    parser.add_argument("--repeats", type=positive_int, default=10, help="draws of --shots (default: %(default)s)")
    parser.add_argument("--rivals", action="store_true", help="also the methods that the paper compares with")
    parser.add_argument("--methods", type=name_list, metavar="A,B", help="these methods of the model (default: all)")
    add_model_arguments(parser)
    add_workers_argument(parser)
    add_stage_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write results there")
    parser.add_argument(
        "--pictures", type=natural_number, default=12, metavar="N", help="probes drawn (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    from reidops_models.data import describe, load_dataset
    from reidops_models.retrieval import evaluate

    stages = stages_of(options)
    first, checkpoint = load_stages(options, load_chosen(options), others=True, rivals=options.rivals)
    dataset = load_dataset(options.data, options.query, setting=options.setting)
    print(describe(dataset), flush=True)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be written is found before the long work
    evaluation = evaluate(
        first,
        dataset,
        probes="query" if options.probes is None and options.query else options.probes,
        methods=options.methods,
        rivals=options.rivals,
        shots=options.shots,
        repeats=options.repeats,
        workers=options.workers,
        stages=stages,
        rerank=checkpoint,
        progress=show_progress(),
    )
    print_evaluation(evaluation)
    if options.out is not None:
        evaluation.write(options.out, images=options.pictures)
        print(f"written: {options.out / 'evaluation.json'}, table.md, cmc.png, roc.png, report.html")
    return 0
