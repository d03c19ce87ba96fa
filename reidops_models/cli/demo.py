"""`reidops demo`: from nothing to a table and a report."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from reidops_models.cli.arguments import add_device_argument, training_seed
from reidops_models.cli.console import print_evaluation, show_progress

if TYPE_CHECKING:
    from reidops_models.recipe import Recipe

SUMMARY = "draw people, train, evaluate and report, in about five minutes"
DESCRIPTION = """\
Draw a benchmark of people, train DSR's miniature recipe on it, search its
gallery for its partial probes by the Resizing model and by DSR with one and
with several block sizes, print the table and write a report to look at.

About five minutes on two idle CPU cores.
"""
EXAMPLES = """\
examples:
  reidops demo
  reidops demo --out /tmp/demo --seed 1
  reidops demo --size tiny                a rehearsal in seconds; its numbers mean nothing
"""

RECIPE = "dsr/demo"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--size", choices=["tiny", "small"], default="small", help="default: %(default)s")
    parser.add_argument("--seed", type=training_seed, default=0, help="of people and training (default: %(default)s)")
    add_device_argument(parser)


def run(options: argparse.Namespace) -> int:
    from reidops_models.checkpoint import load_checkpoint
    from reidops_models.data import load_market1501, write_synthetic
    from reidops_models.devices import find_device
    from reidops_models.recipe import load_recipe
    from reidops_models.retrieval import evaluate
    from reidops_models.training.run import train

    start, device = time.monotonic(), find_device(options.device)

    def say(step: str) -> None:
        print(f"[{time.monotonic() - start:4.0f} s] {step}", flush=True)

    out: Path = options.out
    # A folder for each benchmark, so that a second demo with another seed has its own and a repeated one draws nothing.
    data = out / f"people-{options.size}-{options.seed}"
    say(f"drawing people into {data}")
    dataset = load_market1501(write_synthetic(data, size=options.size, seed=options.seed, progress=show_progress()))
    say(f"training {RECIPE} on {len(dataset.train)} images")
    recipe = _scaled(load_recipe(RECIPE), options.size, options.seed)
    weights = train(recipe, dataset, out / "training", overwrite=True, progress=show_progress(), device=device)
    say(f"searching {len(dataset.gallery)} images for {len(dataset.probes('partial_query'))} partial probes")
    evaluation = evaluate(load_checkpoint(weights, device=device), dataset, progress=show_progress())
    print_evaluation(evaluation)
    evaluation.write(out, images=24)
    say("done")
    print(f"""
  {out / "report.html"}   ranked lists, and which gallery blocks rebuilt which probe block
  {out / "cmc.png"}, evaluation.json, table.md
  {weights}   for reidops match --checkpoint
""")
    return 0


def _scaled(recipe: Recipe, size: str, seed: int) -> Recipe:
    """The recipe with the demo's seed; cut to one epoch of small batches for a rehearsal."""
    training = recipe.training.model_copy(update={"seed": seed, **({"epochs": 1} if size == "tiny" else {})})
    batches = recipe.batches.model_copy(update={"size": 8} if size == "tiny" else {})
    return recipe.model_copy(update={"training": training, "batches": batches})
