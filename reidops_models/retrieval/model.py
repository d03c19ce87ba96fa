"""The model that a caller names, and its options of matching."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from reidops_models.checkpoint import Checkpoint, load_checkpoint, shipped_checkpoint
from reidops_models.devices import Device
from reidops_models.paper import Paper, paper_names, usable_papers
from reidops_models.recipe import RecipeError, parse_recipe
from reidops_models.retrieval.errors import MatchingOptionError, SearchError

Model = str | Path | Checkpoint


def find_model(model: Model, device: Device | None = None) -> Checkpoint:
    """The checkpoint that a caller means.

    Args:
        model: a paper's name, for its shipped checkpoint; a checkpoint's file; or a loaded checkpoint.
        device: where its network shall compute, as of `Checkpoint.to`; None leaves a loaded one where it is.

    Raises:
        DeviceError: there is no such device.
        CheckpointError: the file is missing or damaged.
        SearchError: something else than the three.

    Example:
        >>> find_model("dsr").recipe.model
        'dsr'
    """
    if isinstance(model, Checkpoint):
        return model if device is None else model.to(device)
    given: object = model  # untyped code may pass anything
    if not isinstance(given, str | os.PathLike):
        expected = "the name of a paper, the path of a checkpoint, or a Checkpoint"
        raise SearchError(f"expected {expected}, got an object of type {type(given).__name__}", argument="model")
    if isinstance(model, str) and model in paper_names():
        return load_checkpoint(shipped_checkpoint(model), device=device or "cpu")
    return load_checkpoint(model, device=device or "cpu")


def with_matching(
    checkpoint: Checkpoint, options: Mapping[str, Any], *, others: bool = False, rivals: bool = False
) -> Checkpoint:
    """The same network, matched with other options than its recipe's.

    Args:
        checkpoint: stays as it is.
        options: values of the recipe's `matching` section, by name, such as {"beta": 0.2}.
        others: the other rows of the paper's table are computed too, so their options count as options.
        rivals: the rivals are computed too, so their options count as options.

    Raises:
        MatchingOptionError: the model has no such option, or none of the chosen methods reads it.
        SearchError: a value that the recipe refuses.

    Example:
        >>> with_matching(find_model("dsr"), {"beta": 0.2}).recipe.matching.beta
        0.2
    """
    for name, value in options.items():
        if name not in checkpoint.paper.matching_options(others=others, rivals=rivals):
            raise _no_such_option(name, checkpoint.paper, others, rivals)
        values = checkpoint.recipe.model_dump(mode="json")
        values["matching"][name] = value
        try:
            checkpoint = replace(checkpoint, recipe=parse_recipe(values, origin=name))
        except RecipeError as error:
            # The caller typed the option's name, not its place in the recipe.
            reason = str(error).removeprefix(f"{name}: ").removeprefix(f"matching.{name}: ").removeprefix("matching.")
            raise SearchError(reason, argument=name) from error
    return checkpoint


def matching_facts(checkpoint: Checkpoint) -> dict[str, Any]:
    """The options that the paper's method reads, with the values that they have.

    Example:
        >>> matching_facts(find_model("dsr"))
        {'beta': 0.4, 'scales': [1, 2, 3], 'half': 'none'}
    """
    values = checkpoint.recipe.model_dump(mode="json").get("matching", {})
    return {name: values[name] for name in checkpoint.paper.matching_options()}


def _no_such_option(name: str, paper: Paper[Any, Any], others: bool, rivals: bool) -> MatchingOptionError:
    models = [one.name for one in usable_papers() if name in one.matching_options(others=others, rivals=rivals)]
    reason = f"the model {paper.name} has no such option of matching"
    if name in paper.matching_options(others=True, rivals=True):
        reader = "rivals read" if name in paper.rival_options else "other methods read"
        reason = f"the method of {paper.name} does not read this option; its {reader} it, and only evaluate shows them"
        if others:
            reason = f"the methods of {paper.name} do not read this option; its rivals read it"
        models = [name for name in models if name != paper.name]
    known = f"; the models that have it: {', '.join(models)}" if models else "; no model has it"
    return MatchingOptionError(reason + known, name, models)
