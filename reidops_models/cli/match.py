"""`reidops match`: rank the images of a gallery by their distance to each probe."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from reidops_models.cli.answers import add_answer_arguments, answer
from reidops_models.cli.arguments import add_model_arguments, add_workers_argument, load_chosen
from reidops_models.cli.console import complain, show_progress
from reidops_models.cli.parser import CommandParser
from reidops_models.cli.stages import add_stage_arguments, load_stages, stage_facts, stages_of

if TYPE_CHECKING:
    from reidops_models.matching import Matcher

SUMMARY = "rank real image files of any size"
DESCRIPTION = """\
Rank the images of a gallery by their distance to each probe, nearest first.
Probes may show parts of people; images may have any size.

Where all files are named as in Market-1501 (0002_c1s1_000451_03.jpg: identity
2, camera 1), rank-1 and mAP are reported too, by Market-1501's rule: images of
the probe's person from the probe's camera do not count.
"""
EXAMPLES = """\
examples:
  reidops match --probe crop.jpg --gallery people/
  reidops match --probe crops/ --gallery people/ --out matches --top 10
  reidops match --probe crops/ --gallery people/ --threshold 0.15
  reidops match --probe crops/ --gallery people/ --scales 1 --compare histogram
  reidops match --probe crops/ --gallery people/ --checkpoint runs/demo/model
  reidops match --probe crops/ --gallery people/ --model stnreid --metric cosine
  reidops match --probe crops/ --gallery people/ --model csn --out matches
  reidops match --probe crops/ --gallery people/ --model dpti --out matches
  reidops match --probe crops/ --gallery people/ --shortlist 100 --rerank dsr
  reidops match --probe crops/ --gallery people/ --model dpti --shortlist 100 --rerank stnreid
  reidops match --probe crops/ --gallery people/ --shortlist 100 --exact 10
  reidops match --probe crops/ --gallery people/ --k-reciprocal

In --out: matches.csv (columns probe, rank, gallery, distance, and with
--threshold answer: known or unknown; one line per match, written probe by
probe), matches.json (the facts: model, checkpoint, options, counts, problems),
and report.html (images, and how the best match was made). The terminal shows
the first 3 ranks of each probe at most. The exit code is 1 where a result is
missing, 2 where all are.
"""


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--probe", type=Path, required=True, metavar="FILE_OR_DIR", help="images to look for")
    parser.add_argument("--gallery", type=Path, required=True, metavar="DIR", help="images to search in")
    add_model_arguments(parser)
    add_answer_arguments(parser)
    add_workers_argument(parser)
    add_stage_arguments(parser)
    parser.add_argument("--compare", choices=["histogram"], help="score a baseline too, where identities are known")


def run(options: argparse.Namespace) -> int:
    from reidops_models.retrieval.images import Problems, find_images
    from reidops_models.retrieval.model import matching_facts
    from reidops_models.retrieval.ranked_lists import Ranker
    from reidops_models.retrieval.ranking import find_gallery, rank_probes
    from reidops_models.retrieval.reading import embed_gallery
    from reidops_models.retrieval.search_scores import SearchScores
    from reidops_models.retrieval.stages import exact_cost

    problems = Problems(report=lambda problem: complain(problem.message), remark=complain)
    stages = stages_of(options)
    first, checkpoint = load_stages(options, load_chosen(options))
    options.top = stages.ranks(options.top)
    gallery = find_gallery(options.gallery, problems)
    probes = find_images(options.probe, problems)
    reading = {"workers": options.workers, "progress": show_progress()}
    matcher, gallery, features = embed_gallery(
        lambda sizes: stages.matcher(first, checkpoint, sizes), gallery, problems, **reading
    )
    scores = SearchScores(matcher.name, gallery, _baseline() if options.compare else None)
    ranker = Ranker(gallery, top=options.top, threshold=options.threshold)
    ranking = rank_probes(matcher, probes, features, ranker, problems, judge=scores.add, **reading)
    facts = {
        "model": checkpoint.recipe.model,
        "method": matcher.name,
        "checkpoint": options.checkpoint or "shipped with the package",
        "options": matching_facts(checkpoint),
        **stage_facts(options, stages, first),
    }
    return answer(
        options,
        ranking,
        matcher,
        gallery,
        problems,
        facts,
        probes=len(probes),
        scores=scores.table,
        remark=lambda: exact_cost(matcher),
    )


def _baseline() -> Matcher:
    from reidops_models.matching.histogram import HistogramMatcher  # with all of Matplotlib

    return HistogramMatcher()
