"""`reidops score`: CMC, mAP and all the rest of distances that were made elsewhere."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidops_models.cli.arguments import add_scoring_arguments, add_setting_argument
from reidops_models.cli.console import print_evaluation
from reidops_models.cli.evaluate import write_runs
from reidops_models.cli.parser import CommandParser

SUMMARY = "CMC, mAP, mINP and ROC of a file of distances"
DESCRIPTION = """\
Score the distances in a file, whoever made them, by the rules of evaluate. The
file is read some rows at a time, and never held.

  FILE.npz      what evaluate --save-distances has written; or a matrix (P, G)
                beside the labels q_pids, g_pids, q_camids, g_camids
  FILE.npy      a matrix (P, G); --data says whose it is
  FILE.parquet  what evaluate --save-distances has written; or a column of lists
                of G numbers, with --data

With --data rows are the probes and columns the gallery of the data set, in the
order of the names of its files, or of the lines of a CSV file with the columns
path, pid, camid, split (the pictures need not be there).
"""
EXAMPLES = """\
examples:
  reidops score people.npz
  reidops score matrix.npy --data Market-1501 --out results
  reidops score similarities.npy --similarities --data labels.csv --trec runs

In --out: evaluation.json, table.md, cmc.png, roc.png.
"""


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="distances: .npz, .npy or .parquet")
    parser.add_argument("--data", type=Path, metavar="DIR", help="the data set, or a CSV file with its labels")
    parser.add_argument("--probes", default="query", metavar="NAME", help="its probe set (default: %(default)s)")
    add_setting_argument(parser)
    parser.add_argument("--similarities", action="store_true", help="larger values are more alike")
    add_scoring_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write results there")


def run(options: argparse.Namespace) -> int:
    from reidops_models.data import load_dataset
    from reidops_models.retrieval.distance_files import read_distances
    from reidops_models.retrieval.evaluation import score_distances

    dataset = None if options.data is None else load_dataset(options.data, setting=options.setting)
    content = read_distances(options.file, dataset, options.probes, similarities=options.similarities)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be written is found before the long work
    found = score_distances(
        content, options.file.name, shots=options.shots, repeats=options.repeats, memory=options.memory
    )
    print_evaluation(found)
    if options.out is not None:
        found.write(options.out)
        print(f"written: {options.out / 'evaluation.json'}, table.md, cmc.png, roc.png")
    write_runs(found, options)
    return 0
