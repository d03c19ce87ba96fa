"""Arguments that several commands share, and what they mean."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from reidops_models.cli.console import CommandError
from reidops_models.paper import paper_names

if TYPE_CHECKING:
    from reidops_models.checkpoint import Checkpoint

DEFAULT_MODEL = "dsr"


def positive_int(text: str) -> int:
    """An argparse type: an integer of 1 or more."""
    return _whole_number(text, 1)


def natural_number(text: str) -> int:
    """An argparse type: an integer of 0 or more."""
    return _whole_number(text, 0)


def training_seed(text: str) -> int:
    """An argparse type: a seed that NumPy takes, of 32 bits."""
    seed = natural_number(text)
    if seed >= 2**32:
        raise argparse.ArgumentTypeError(f"expected a whole number below {2**32}, got {text!r}")
    return seed


def int_list(text: str) -> list[int]:
    """An argparse type: `1,2,3`."""
    return [positive_int(part) for part in text.split(",")]


def name_list(text: str) -> list[str]:
    """An argparse type: `a,b`."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole_number(text: str, least: int) -> int:
    if not text.strip().isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"expected a whole number, {least} or more, got {text!r}")
    return int(text)


def add_setting_argument(parser: argparse.ArgumentParser) -> None:
    """Which reading of a data set that has several."""
    parser.add_argument(
        "--setting", metavar="NAME", help="of CUHK03 (labeled-old-0), CUHK01 (871-0), VIPeR (0): boxes, protocol, split"
    )


def add_checkpoint_arguments(parser: argparse.ArgumentParser, default: str = DEFAULT_MODEL) -> None:
    """Which network."""
    parser.add_argument("--checkpoint", metavar="FILE", help="NAME.safetensors beside NAME.json (default: the shipped)")
    parser.add_argument(
        "--model",
        help=f"{', '.join(paper_names())}: whose shipped checkpoint to take, or to accept (default: {default})",
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Which network, and how it matches."""
    add_checkpoint_arguments(parser)
    parser.add_argument("--scales", type=int_list, metavar="1,2,3", help="DSR's block sizes (default: the recipe's)")
    parser.add_argument("--beta", type=float, help="sparsity of DSR's reconstruction (default: the recipe's)")


def load_chosen(options: argparse.Namespace, default: str = DEFAULT_MODEL) -> Checkpoint:
    """The checkpoint that :func:`add_checkpoint_arguments` describes.

    Raises:
        CheckpointError: it is missing, damaged, or of another model.
    """
    from reidops_models.checkpoint import load_checkpoint, shipped_checkpoint

    if options.model is not None and options.model not in paper_names():
        raise CommandError(f"--model: unknown {options.model!r}; known: {', '.join(paper_names())}")
    path = options.checkpoint or shipped_checkpoint(options.model or default)
    return load_checkpoint(path, model=options.model)


def load_model(options: argparse.Namespace) -> Checkpoint:
    """The checkpoint that :func:`add_model_arguments` describes.

    Raises:
        CheckpointError: it is missing, damaged, or of another model.
        RecipeError: it has no such option, or the value is out of range.
    """
    return _with_matching(load_chosen(options), {"scales": options.scales, "beta": options.beta})


def _with_matching(checkpoint: Checkpoint, changes: dict[str, Any]) -> Checkpoint:
    """The same network under a recipe with other matching options; the recipe's own checks apply."""
    from dataclasses import replace

    from reidops_models.recipe import parse_recipe

    given = {name: value for name, value in changes.items() if value is not None}
    if not given:
        return checkpoint
    values = checkpoint.recipe.model_dump(mode="json")
    values["matching"] = {**values.get("matching", {}), **given}
    return replace(checkpoint, recipe=parse_recipe(values, origin="options"))
