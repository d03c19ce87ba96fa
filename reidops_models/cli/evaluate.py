"""`reidops evaluate`: CMC, mAP and mINP of a checkpoint on a data set."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reidops_models.cli.arguments import (
    add_model_arguments,
    add_scoring_arguments,
    add_setting_argument,
    add_workers_argument,
    checkpoint_path,
    load_chosen,
    name_list,
    natural_number,
)
from reidops_models.cli.console import complain, print_evaluation, show_progress
from reidops_models.cli.parser import CommandParser
from reidops_models.cli.stages import add_stage_arguments, load_stages, stages_of

if TYPE_CHECKING:
    from reidops_models.retrieval import Evaluation

SUMMARY = "CMC, mAP, mINP and ROC on a data set"
DESCRIPTION = """\
Rank a data set's gallery for each of its probes, by every method of the model.
Print what the data set holds, then CMC, mAP, mINP and true positive rates with
95 % bootstrap intervals over identities, and the distances at which these are;
where the gallery lacks people, how well a threshold tells them. The data set may be Market-1501 or in
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

  reidops evaluate --data people --save-distances people.npz --memory 1

In --out: evaluation.json, table.md, cmc.png, roc.png, and report.html, which
draws some probes; reliability.png with a calibration.
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
    add_scoring_arguments(parser)
    parser.add_argument(
        "--save-distances", type=Path, metavar="FILE", help="write all distances into FILE.npz or FILE.parquet"
    )
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="what reidops calibrate has written; it is held against these people (default: the one beside the "
        "checkpoint, where there is one)",
    )
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
    from reidops_models.evaluation import Calibration
    from reidops_models.retrieval import SearchError, evaluate
    from reidops_models.retrieval.calibration import calibration_path
    from reidops_models.retrieval.distance_files import check_ending, write_distances

    stages = stages_of(options)
    first, checkpoint = load_stages(options, load_chosen(options), others=True, rivals=options.rivals)
    dataset = load_dataset(options.data, options.query, setting=options.setting)
    print(describe(dataset), flush=True)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be written is found before the long work
    if options.save_distances is not None:
        check_ending(options.save_distances, (".npz", ".parquet"))
    beside = calibration_path(checkpoint_path(options))
    file = options.calibration or (beside if beside.is_file() else None)
    work = partial(
        evaluate,
        first,
        dataset,
        probes="query" if options.probes is None and options.query else options.probes,
        methods=options.methods,
        rivals=options.rivals,
        shots=options.shots,
        repeats=options.repeats,
        memory=options.memory,
        workers=options.workers,
        stages=stages,
        rerank=checkpoint,
        progress=show_progress(),
    )
    try:
        evaluation = work(calibration=None if file is None else Calibration.load(file))
    except SearchError as error:
        if options.calibration is not None or error.argument != "calibration":
            raise
        complain(f"{file}: not used: {error.reason}")
        evaluation = work()
    print_evaluation(evaluation)
    if options.out is not None:
        evaluation.write(options.out, images=options.pictures)
        pictures = "cmc.png, roc.png" + (", reliability.png" if evaluation.calibrated_table() else "")
        print(f"written: {options.out / 'evaluation.json'}, table.md, {pictures}, report.html")
    if options.save_distances is not None:
        print(f"written: {write_distances(options.save_distances, evaluation.distance_file())}")
    write_runs(evaluation, options)
    return 0


def write_runs(evaluation: Evaluation, options: argparse.Namespace) -> None:
    """TREC's files, where they were asked for."""
    from reidops_models.retrieval.trec import write_trec

    if options.trec is not None:
        files = write_trec(options.trec, evaluation.distance_file())
        print(f"written: {', '.join(str(file) for file in files)}")
