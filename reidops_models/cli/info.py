"""`reidops info`: what is installed, and what a checkpoint is."""

from __future__ import annotations

import argparse
import json

from reidops_models.cli.arguments import DEFAULT_MODEL
from reidops_models.cli.console import PARTIAL, complain, flag_of

SUMMARY = "versions, models, or what a checkpoint holds"
DESCRIPTION = """\
Print versions, which kernels are built and loaded, and the models with their
shipped checkpoints and their options of matching. With a checkpoint, print its
model, its identities, its notes and its recipe. The exit code is 1 where a model
is installed and cannot be loaded.
"""
EXAMPLES = """\
examples:
  reidops info
  reidops info runs/demo/model
  reidops info dsr                     the shipped checkpoint of dsr
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", nargs="?", metavar="CHECKPOINT", help="a checkpoint's file, or a model's name")


def run(options: argparse.Namespace) -> int:
    if options.checkpoint is None:
        return _show_installed()
    _show_checkpoint(options.checkpoint)
    return 0


def _show_installed() -> int:
    import reidops
    from reidops_models.checkpoint import shipped_checkpoint
    from reidops_models.paper import PaperError, find_paper, paper_names

    reidops.show_config()
    code = 0
    for name in paper_names():
        try:
            paper = find_paper(name)
        except PaperError as error:
            complain(str(error))
            code = PARTIAL
            continue
        shipped = shipped_checkpoint(name)
        default = " (the default of match and evaluate)" if name == DEFAULT_MODEL else ""
        print(f"\n{name}{default}")
        print(f"  checkpoint          {shipped if shipped.is_file() else 'none is shipped'}")
        print(f"  descriptors         {'yes: reidops embed' if paper.has_descriptors else 'no'}")
        own = list(paper.matching_options())
        others = [option for option in paper.matching_options(others=True) if option not in own]
        every = paper.matching_options(others=True, rivals=True)
        rivals = [option for option in every if option not in (*own, *others)]
        for title, found in (("match, evaluate", own), ("evaluate", others), ("evaluate --rivals", rivals)):
            if found:
                print(f"  {title:<19} {' '.join(map(flag_of, found))}")
    return code


def _show_checkpoint(source: str) -> None:
    from reidops_models.recipe import format_recipe
    from reidops_models.retrieval.model import find_model

    checkpoint = find_model(source)
    print(f"model: {checkpoint.recipe.model}")
    print(f"identities: {checkpoint.identities}")
    print(f"notes: {json.dumps(checkpoint.notes, ensure_ascii=False)}")
    print("recipe:")
    text = format_recipe(checkpoint.recipe)
    print("\n".join(f"  {line}" for line in text.splitlines()))
