"""Arguments that several commands share, and what they mean."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_origin

from reidops_models.cli.console import CommandError, flag_of
from reidops_models.cli.parser import CommandParser
from reidops_models.paper import paper_names

if TYPE_CHECKING:
    from reidops_models.checkpoint import Checkpoint
    from reidops_models.paper import Paper

DEFAULT_MODEL = "dsr"


def positive_int(text: str) -> int:
    """An argparse type: an integer of 1 or more."""
    return _whole_number(text, 1)


def natural_number(text: str) -> int:
    """An argparse type: an integer of 0 or more."""
    return _whole_number(text, 0)


def finite_number(text: str) -> float:
    """An argparse type: a number that is neither infinite nor NaN."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text!r}")
    return number


def training_seed(text: str) -> int:
    """An argparse type: a seed that NumPy takes, of 32 bits."""
    seed = natural_number(text)
    if seed >= 2**32:
        raise argparse.ArgumentTypeError(f"expected a whole number below {2**32}, got {text!r}")
    return seed


def gigabytes(text: str) -> int:
    """An argparse type: bytes of a number of gigabytes, such as `0.5`."""
    number = finite_number(text)
    if number < 1 / 16:
        raise argparse.ArgumentTypeError(f"expected 0.0625 (64 MB) or more, got {text!r}")
    return int(number * (1 << 30))


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


def add_scoring_arguments(parser: argparse.ArgumentParser) -> None:
    """How distances are scored, in how much memory, and where they go."""
    parser.add_argument(
        "--shots",
        type=positive_int,
        metavar="N",
        help="rank people by the mean over N of their images, drawn at random (default: rank all images)",
    )
    parser.add_argument("--repeats", type=positive_int, default=10, help="draws of --shots (default: %(default)s)")
    parser.add_argument(
        "--memory",
        type=gigabytes,
        default=4 << 30,
        metavar="GB",
        help="held at a time beside program and network, about; the rest lies in temporary files (default: 4)",
    )
    parser.add_argument(
        "--trec", type=Path, metavar="DIR", help="write METHOD.run and qrels there, for trec_eval, ir-measures or ranx"
    )


def add_setting_argument(parser: argparse.ArgumentParser) -> None:
    """Which reading of a data set that has several."""
    parser.add_argument(
        "--setting", metavar="NAME", help="of CUHK03 (labeled-old-0), CUHK01 (871-0), VIPeR (0): boxes, protocol, split"
    )


def add_device_argument(parser: argparse.ArgumentParser, default: str | None = "auto", what: str = "") -> None:
    """Where the work is done."""
    parser.add_argument(
        "--device",
        default=default,
        metavar="DEVICE",
        help=what
        or "auto, cpu, cuda or cuda:N, where networks and distances are computed (default: auto, a GPU "
        "where torch sees one)",
    )


def add_workers_argument(parser: argparse.ArgumentParser) -> None:
    """How images are read."""
    parser.add_argument(
        "--workers",
        type=natural_number,
        metavar="N",
        help="threads that read images ahead; 0: none (default: one for each processor, 8 at most)",
    )


def add_ray_argument(parser: argparse.ArgumentParser) -> None:
    """Whose machines do the work."""
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="let a Ray cluster do the work: HOST:PORT of its head, auto for the one of this machine, local for one "
        "that is started and stopped (default: this process alone)",
    )


def gpus_of_workers(device: str) -> float | None:
    """What `--device` means to the workers of a cluster: how many GPUs each has; None: one, where there are any.

    Raises:
        CommandError: a GPU by its number, which every machine has.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise CommandError(f"--device: with --ray expected auto, cpu or cuda, got {device!r}")
    return {"cpu": 0.0, "cuda": 1.0}.get(device)


def add_checkpoint_arguments(parser: argparse.ArgumentParser, default: str = DEFAULT_MODEL) -> None:
    """Which network."""
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="NAME.safetensors beside NAME.json (default: the shipped checkpoint)"
    )
    parser.add_argument(
        "--model",
        help=f"{', '.join(paper_names())}: take the shipped checkpoint of this model, or accept no other model's in "
        f"--checkpoint (default: {default})",
    )
    add_device_argument(parser)


def add_model_arguments(parser: CommandParser) -> None:
    """Which network, and how it matches. The options of matching are the model's, declared here or not."""
    add_checkpoint_arguments(parser)
    group = parser.add_argument_group(
        "options of matching", "each model has its own, named as in its recipe's section `matching`: reidops info"
    )
    group.add_argument("--scales", type=int_list, metavar="1,2,3", help="block sizes of dsr (default: the recipe's)")
    group.add_argument("--beta", type=float, help="sparsity of dsr's reconstruction (default: the recipe's)")
    group.add_argument(
        "--half",
        nargs="?",
        const="float16",
        choices=["float16", "bfloat16"],
        help="keep the maps of dsr in half the bits, and multiply them so (without a type: float16)",
    )
    parser.open_options = True


def load_chosen(options: argparse.Namespace, default: str = DEFAULT_MODEL) -> Checkpoint:
    """The checkpoint that :func:`add_checkpoint_arguments` describes.

    Raises:
        CheckpointError: it is missing, damaged, or of another model.
        CommandError: there is no such model.
        DeviceError: there is no such device.
    """
    from reidops_models.checkpoint import load_checkpoint

    if options.model is not None and options.model not in paper_names():
        raise CommandError(f"--model: unknown {options.model!r}; known: {', '.join(paper_names())}")
    return load_checkpoint(checkpoint_path(options, default), model=options.model, device=options.device)


def checkpoint_path(options: argparse.Namespace, default: str = DEFAULT_MODEL) -> Path:
    """Where the checkpoint is that :func:`load_chosen` loads."""
    from reidops_models.checkpoint import shipped_checkpoint

    return shipped_checkpoint(options.model or default) if options.checkpoint is None else Path(options.checkpoint)


def load_named(options: argparse.Namespace) -> Checkpoint | None:
    """The checkpoint that the user named, as :func:`load_chosen`; None where they named none, nor a model."""
    return None if options.checkpoint is None and options.model is None else load_chosen(options)


def load_model(name: str, options: argparse.Namespace) -> Checkpoint:
    """The shipped checkpoint of a model, or the checkpoint of a file, on the device of the others.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    from reidops_models.retrieval.model import find_model

    return find_model(name, options.device)


def matching_options(options: argparse.Namespace, paper: Paper[Any, Any]) -> dict[str, Any]:
    """The options of matching that the user typed, by their names in the recipe.

    What the model does not have is kept: the library says which models have it. What no model has ends the command.
    """
    from reidops_models.paper import usable_papers
    from reidops_models.recipe.yaml_text import parse_yaml

    given = {name: value for name in ("scales", "beta", "half") if (value := getattr(options, name)) is not None}
    if not options.model_options:
        return given
    known: Mapping[str, Any] = {}
    for one in (*usable_papers(), paper):  # the model's own last, because its fields say how to read a value
        known = {**known, **one.matching_options(others=True, rivals=True)}
    fields = {flag_of(name): (name, field) for name, field in known.items()}
    for flag, text in options.model_options.items():
        if flag not in fields:
            options.parser.unknown_option(flag)
        name, field = fields[flag]
        is_list = get_origin(field.annotation) is tuple
        given[name] = parse_yaml(f"[{text}]" if is_list else text, origin=flag)
    return given
