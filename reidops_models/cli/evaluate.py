"""`reidops evaluate`: CMC and mAP of a checkpoint on a data set."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidops_models.cli.arguments import add_model_arguments, load_model, name_list, natural_number
from reidops_models.cli.console import CommandError, print_table, show_progress
from reidops_models.cli.pictures import Picture, sample_pictures
from reidops_models.cli.ranks import ranked_probe
from reidops_models.cli.scores import RANKS, score, score_note, score_rows

if TYPE_CHECKING:
    from torch import Tensor

    from reidops_models.checkpoint import Checkpoint
    from reidops_models.data import ReidDataset
    from reidops_models.evaluation import RankingResult
    from reidops_models.matching import Matcher

SUMMARY = "CMC and mAP on a data set"
DESCRIPTION = """\
Rank a data set's gallery for each of its probes, by every method of the model,
and print what the data set holds, then CMC and mAP with 95 % bootstrap
intervals over identities.

Choose options such as --beta on DATA/validation, and report on DATA.
"""
EXAMPLES = """\
examples:
  reidops evaluate --data people
  reidops evaluate --data people/validation --probes query --beta 0.2
  reidops evaluate --data people --checkpoint runs/demo/model --out results
  reidops evaluate --data people --methods resizing-model,dsr-single-scale

In --out: evaluation.json, table.md, cmc.png, and report.html with pictures of
some probes.
"""

CURVE = 20  # ranks of the CMC curve
PARTIAL = "partial_query"  # the probe set that a data set of partial people has


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="data set in Market-1501 layout")
    parser.add_argument(
        "--probes",
        metavar="NAME",
        help=f"query, or another probe set of the data (default: {PARTIAL} where there is one, else query)",
    )
    parser.add_argument("--methods", type=name_list, metavar="A,B", help="of the model's methods, these (default: all)")
    add_model_arguments(parser)
    parser.add_argument("--out", type=Path, metavar="DIR", help="write results there")
    parser.add_argument(
        "--pictures", type=natural_number, default=12, metavar="N", help="probes drawn (default: %(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    from reidops_models.data import describe, load_market1501

    checkpoint = load_model(options)
    dataset = load_market1501(options.data)
    print(describe(dataset), flush=True)
    probes = options.probes or (PARTIAL if PARTIAL in dataset.probe_sets else "query")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)  # what cannot be written is known before the long work starts
    evaluation = evaluate(checkpoint, dataset, probes, options.methods)
    evaluation.print()
    if options.out is not None:
        evaluation.write(options.out, pictures=options.pictures)
        print(f"written: {options.out / 'evaluation.json'}, table.md, cmc.png, report.html")
    return 0


@dataclass(frozen=True)
class Evaluation:
    """The methods of one model on one probe set.

    Attributes:
        title: what was searched in what.
        facts: about the model and the data.
        probes, gallery: the pictures.
        matchers: by name.
        distances: (P, G), by the matcher's name.
        results: by the matcher's name.
    """

    title: str
    facts: Mapping[str, Any]
    probes: Sequence[Picture]
    gallery: Sequence[Picture]
    matchers: Mapping[str, Matcher]
    distances: Mapping[str, Tensor]
    results: Mapping[str, RankingResult]

    @property
    def note(self) -> str:
        """What the scores rest on."""
        return score_note(next(iter(self.results.values())))

    def print(self) -> None:
        """The table on stdout."""
        header, *rows = score_rows(self.results)
        print_table(header, rows, title=self.title)
        print(self.note)

    def write(self, out: Path, pictures: int) -> None:
        """evaluation.json, table.md, cmc.png and report.html with `pictures` probes spread over all."""
        from reidops_models.evaluation import format_table
        from reidops_models.report import draw_cmc, write_report

        out.mkdir(parents=True, exist_ok=True)
        (out / "evaluation.json").write_text(json.dumps(self._values(), indent=2) + "\n", encoding="utf-8")
        table = format_table(self.results, RANKS, style="markdown")
        (out / "table.md").write_text(f"{self.title}\n\n{table}\n", encoding="utf-8", errors="backslashreplace")
        curves = {name: [result.rank(k) for k in range(1, CURVE + 1)] for name, result in self.results.items()}
        draw_cmc(curves, out / "cmc.png")

        name, matcher = list(self.matchers.items())[-1]  # the paper's method in full
        shown = range(0, len(self.probes), max(1, len(self.probes) // pictures))[:pictures] if pictures else range(0)
        write_report(
            out / "report.html",
            [
                ranked_probe(matcher, self.probes[i], self.distances[name][i], self.gallery, market_rule=True)
                for i in shown
            ],
            title=self.title,
            facts={
                "lists and drawings by": name,
                "probes": f"{len(self.probes)} pictures, {len(shown)} drawn",
                "gallery": f"{len(self.gallery)} pictures",
            },
            table=score_rows(self.results),
            notes=[self.note],
            figure=out / "cmc.png",
        )

    def _values(self) -> dict[str, Any]:
        from reidops_models.evaluation import bootstrap_interval

        metrics = [*(f"r{k}" for k in RANKS), "mAP"]
        return {
            **self.facts,
            "methods": {
                name: {
                    **{metric: vars(bootstrap_interval(result, metric)) for metric in metrics},
                    "cmc": [result.rank(k) for k in range(1, CURVE + 1)],
                    "probes without a right picture": result.invalid_probes,
                }
                for name, result in self.results.items()
            },
        }


def evaluate(
    checkpoint: Checkpoint, dataset: ReidDataset, probe_set: str, methods: Sequence[str] | None = None
) -> Evaluation:
    """Rank a data set's gallery by the methods of a checkpoint.

    Raises:
        DatasetError: no such probe set.
        CommandError: no such method, pictures that a method cannot match, or no probe has a right picture in the
            gallery.
    """
    probes = sample_pictures(dataset.probes(probe_set), dataset.root)
    gallery = sample_pictures(dataset.gallery, dataset.root)
    matchers = _chosen(checkpoint.matchers([picture.size for picture in gallery]), methods)
    distances, results = {}, {}
    for matcher in matchers:
        try:
            embedded = matcher.embed((probe.read() for probe in probes), role="probe", progress=show_progress())
            searched = matcher.embed((picture.read() for picture in gallery), role="gallery", progress=show_progress())
            distances[matcher.name] = matcher.distances(embedded, searched, progress=show_progress())
        except ValueError as error:
            raise CommandError(f"{matcher.name}: {error}") from error
        result = score(distances[matcher.name], probes, gallery)
        if result is None:
            raise CommandError(f"{dataset.root}: no probe of {probe_set} has a right picture in the gallery")
        results[matcher.name] = result
    return Evaluation(
        title=f"{probe_set} in {dataset.root.name}",
        facts={
            "model": checkpoint.recipe.model,
            "data": str(dataset.root),
            "probe set": probe_set,
            "probes": len(probes),
            "gallery": len(gallery),
        },
        probes=probes,
        gallery=gallery,
        matchers={matcher.name: matcher for matcher in matchers},
        distances=distances,
        results=results,
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
