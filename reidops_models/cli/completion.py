"""Shell completion by argcomplete: what may stand after an option."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence

from reidops_models.paper import paper_names


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell and exit, where the shell asks for completions; do nothing where it does not."""
    if "_ARGCOMPLETE" not in os.environ:
        return
    import argcomplete

    argcomplete.autocomplete(parser)


def attach_completers(parser: argparse.ArgumentParser) -> None:
    """Tell argcomplete what the options of a command take."""
    for action in parser._actions:
        if action.dest in COMPLETERS:
            action.completer = COMPLETERS[action.dest]  # type: ignore[attr-defined]


def _models(prefix: str, **context: object) -> Sequence[str]:
    return paper_names()


def _recipes(prefix: str, **context: object) -> Sequence[str]:
    from argcomplete.completers import FilesCompleter

    from reidops_models.recipe import packaged_recipes

    return [*packaged_recipes(), *FilesCompleter(("yaml", "yml"))(prefix)]


def _methods(prefix: str, parsed_args: argparse.Namespace, **context: object) -> Sequence[str]:
    """The methods of the model that the line names, after those that are already in the list."""
    from reidops_models.cli.arguments import load_chosen
    from reidops_models.retrieval.evaluation import method_name

    parsed_args.device = "cpu"  # names need no GPU
    checkpoint = load_chosen(parsed_args)
    matchers = checkpoint.matchers(rivals=parsed_args.rivals)
    earlier = prefix[: prefix.rfind(",") + 1]
    names = [method_name(matcher) for matcher in matchers]
    return [earlier + name for name in names if name not in earlier.split(",")]


COMPLETERS: dict[str, Callable[..., Sequence[str]]] = {
    "model": _models,
    "paper": _models,
    "recipe": _recipes,
    "methods": _methods,
}
