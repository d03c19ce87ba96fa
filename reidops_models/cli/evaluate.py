"""`reidops evaluate`: CMC, mAP and mINP of a checkpoint on a data set."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reidops_models.cli.arguments import (
    add_model_arguments,
    add_setting_argument,
    load_model,
    name_list,
    natural_number,
    positive_int,
)
from reidops_models.cli.console import CommandError, show_progress
from reidops_models.cli.evaluation import Evaluation
from reidops_models.cli.pictures import sample_pictures
from reidops_models.cli.scores import score, verify

if TYPE_CHECKING:
    from reidops_models.checkpoint import Checkpoint
    from reidops_models.data import ReidDataset
    from reidops_models.matching import Matcher

SUMMARY = "CMC, mAP, mINP and ROC on a data set"
DESCRIPTION = """\
Rank a data set's gallery for each of its probes, by every method of the model,
and print what the data set holds, then CMC, mAP, mINP and true positive rates
with 95 % bootstrap intervals over identities. The data set may be Market-1501 or in
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
  reidops evaluate --data Partial-REID --shots 3          mean over 3 pictures a person
  reidops evaluate --data people --rivals                 with SWM, AMC and AMC+SWM: slow

In --out: evaluation.json, table.md, cmc.png, roc.png, and report.html with
pictures of some probes.
"""

PARTIAL = "partial_query"  # the probe set that a data set of partial people has


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data set, as it is unpacked")
    parser.add_argument(
        "--probes",
        metavar="NAME",
        help=f"query, or another probe set of the data (default: {PARTIAL} where there is one, else query)",
    )
    parser.add_argument(
        "--query", choices=["partial", "occluded"], help="which folder of Partial-REID the query is (default: partial)"
    )
    add_setting_argument(parser)
    parser.add_argument(
        "--shots",
        type=positive_int,
        metavar="N",
        help="rank people by the mean over N of their pictures, drawn at random (default: rank all pictures)",
    )
    parser.add_argument("--repeats", type=positive_int, default=10, help="draws of --shots (default: %(default)s)")
    parser.add_argument("--rivals", action="store_true", help="also the methods that the paper compares with")
    parser.add_argument("--methods", type=name_list, metavar="A,B", help="of the model's methods, these (default: all)")
    add_model_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write results there")
    parser.add_argument(
        "--pictures", type=natural_number, default=12, metavar="N", help="probes drawn (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    from reidops_models.data import describe, load_dataset

    checkpoint = load_model(options)
    dataset = load_dataset(options.data, options.query, setting=options.setting)
    print(describe(dataset), flush=True)
    partial = PARTIAL in dataset.probe_sets and options.query is None
    probes = options.probes or (PARTIAL if partial else "query")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)  # what cannot be written is known before the long work starts
    evaluation = evaluate(
        checkpoint, dataset, probes, options.methods, options.rivals, shots=options.shots, repeats=options.repeats
    )
    evaluation.print()
    if options.out is not None:
        evaluation.write(options.out, pictures=options.pictures)
        print(f"written: {options.out / 'evaluation.json'}, table.md, cmc.png, roc.png, report.html")
    return 0


def evaluate(
    checkpoint: Checkpoint,
    dataset: ReidDataset,
    probe_set: str,
    methods: Sequence[str] | None = None,
    rivals: bool = False,
    *,
    shots: int | None = None,
    repeats: int = 10,
) -> Evaluation:
    """Rank a data set's gallery by the methods of a checkpoint, and by their rivals where asked to.

    With `shots` people are ranked, by the mean over so many pictures drawn at random; otherwise all pictures are.

    Raises:
        DatasetError: no such probe set.
        MatchingError: pictures that a method cannot match.
        CommandError: no such method, or no probe has a right picture in the gallery.
    """
    from reidops_models.matching import distance_tables

    probes = sample_pictures(dataset.probes(probe_set), dataset.root)
    gallery = sample_pictures(dataset.gallery, dataset.root)
    sizes = [picture.size for picture in gallery]
    built = checkpoint.rivals(sizes) if rivals else ()
    matchers = _chosen([*built, *checkpoint.methods(sizes)], methods)
    distances, results, verifications = {}, {}, {}
    for matcher, table in distance_tables(
        matchers,
        lambda: (probe.read() for probe in probes),
        lambda: (picture.read() for picture in gallery),
        progress=show_progress(),
    ):
        distances[matcher.name] = table
        result = score(distances[matcher.name], probes, gallery, shots, repeats)
        if result is None:
            raise CommandError(f"{dataset.root}: no probe of {probe_set} has a right picture in the gallery")
        results[matcher.name] = result
        verifications[matcher.name] = verify(distances[matcher.name], probes, gallery)
    protocol = "" if shots is None else f", {shots} shot{'s' if shots > 1 else ''}, {repeats} draws"
    return Evaluation(
        title=f"{probe_set} in {dataset.root.name}{protocol}",
        facts={
            "model": checkpoint.recipe.model,
            "data": str(dataset.root),
            "probe set": probe_set,
            "probes": len(probes),
            "gallery": len(gallery),
            "shots": shots,
            "repeats": None if shots is None else repeats,
        },
        probes=probes,
        gallery=gallery,
        matchers={matcher.name: matcher for matcher in matchers},
        distances=distances,
        results=results,
        verifications=verifications,
    )


def method_name(matcher: Matcher) -> str:
    """A matcher's name as it is typed: `DSR single-scale` is `dsr-single-scale`."""
    return matcher.name.lower().replace(" ", "-")


def _chosen(matchers: Sequence[Matcher], methods: Sequence[str] | None) -> list[Matcher]:
    known = {method_name(matcher): matcher for matcher in matchers}
    for name in methods or []:
        if name not in known:
            raise CommandError(f"--methods: unknown {name!r}; known: {', '.join(known)}")
    return [matcher for name, matcher in known.items() if not methods or name in methods]
