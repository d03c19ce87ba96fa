"""Arguments of what follows on a model's distances: a shortlist that another method ranks, and re-ranking."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from reidops_models.cli.arguments import load_model, matching_options, positive_int

if TYPE_CHECKING:
    from reidops_models.checkpoint import Checkpoint
    from reidops_models.retrieval.stages import Stages

EXACT = 10  # ranks


def add_stage_arguments(parser: argparse.ArgumentParser) -> None:
    """Two stages and re-ranking."""
    group = parser.add_argument_group(
        "stages", "a quick method chooses a shortlist, a slow one ranks it; then re-ranking (docs/search.md)"
    )
    group.add_argument(
        "--shortlist",
        type=positive_int,
        metavar="K",
        help="rank only the K images that are nearest by the model's vectors; of dsr, by the averages of its maps "
        "(default: rank all)",
    )
    group.add_argument(
        "--rerank",
        metavar="MODEL",
        help="the model, or a checkpoint's file, that ranks the shortlist; the options of matching are its own "
        "(default: --model itself)",
    )
    group.add_argument(
        "--exact",
        nargs="?",
        type=positive_int,
        const=EXACT,
        metavar="RANKS",
        help=f"of dsr: let the shortlist grow until the first ranks are surely those of all images (without a number: "
        f"{EXACT})",
    )
    group.add_argument(
        "--k-reciprocal",
        nargs="?",
        const=(),
        type=_k_reciprocal,
        metavar="K1,K2,WEIGHT",
        help="k-reciprocal re-ranking of the distances (without numbers: 20,6,0.3)",
    )
    group.add_argument(
        "--expand",
        type=positive_int,
        metavar="K",
        help="query expansion: average the distances over a probe and its K nearest gallery images",
    )


def stages_of(options: argparse.Namespace) -> Stages:
    """The stages that the user asked for.

    Raises:
        SearchError: they do not go together.
    """
    from reidops_models.retrieval.errors import SearchError
    from reidops_models.retrieval.stages import KReciprocal, Stages

    if options.rerank is not None and options.shortlist is None:  # before a checkpoint is loaded
        raise SearchError("there must be a shortlist to rank; --shortlist is missing", argument="rerank")
    again = None if options.k_reciprocal is None else KReciprocal(*options.k_reciprocal)
    return Stages(options.shortlist, options.exact, again, options.expand)


def load_stages(options: argparse.Namespace, loaded: Checkpoint, **rows: bool) -> tuple[Checkpoint, Checkpoint]:
    """The checkpoint that makes the shortlist, and the one that ranks it, which has the options of matching.

    They are one where the user named no second. `rows` are those of `with_matching`.
    """
    from reidops_models.retrieval.model import with_matching

    named = None if options.rerank is None else load_model(options.rerank, options)
    second = loaded if named is None else named
    second = with_matching(second, matching_options(options, second.paper), **rows)
    return (second if named is None else loaded), second


def stage_facts(options: argparse.Namespace, stages: Stages, first: Checkpoint) -> dict[str, Any]:
    """What a file of results says of the stages; nothing without any."""
    facts: dict[str, Any] = {}
    if stages.shortlist is not None:
        facts |= {"shortlist": stages.shortlist, "shortlist by": first.recipe.model}
    if stages.k_reciprocal is not None:
        facts["k-reciprocal"] = vars(stages.k_reciprocal)
    if stages.expand is not None:
        facts["expand"] = stages.expand
    if options.rerank is not None:
        facts["checkpoint"] = options.rerank
    return facts


def _k_reciprocal(text: str) -> tuple[int, int, float]:
    parts = text.split(",")
    try:
        k1, k2, weight = int(parts[0]), int(parts[1]), float(parts[2])
    except (ValueError, IndexError):
        parts = []
    if len(parts) != 3:
        raise argparse.ArgumentTypeError(f"expected K1,K2,WEIGHT such as 20,6,0.3, got {text!r}")
    return k1, k2, weight
