"""How all commands speak: complaints on stderr, one line each, and tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reidops_models.retrieval import Evaluation

PARTIAL = 1  # exit code: done, but a result is missing
FAILED = 2  # exit code: not done


class CommandError(Exception):
    """The command cannot do what it was asked; the message is one line."""


def complain(message: str) -> None:
    """One line on stderr."""
    print(f"reidops: {' '.join(message.split())}", file=sys.stderr, flush=True)


def users_error(error: Exception) -> str | None:
    """The line on what is wrong with what the user gave; None for a mistake of ours, which deserves its trace."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, CommandError | OSError):
        return str(error)
    if type(error).__name__ == "OutOfMemoryError":  # of torch, which need not be imported for it
        return (
            f"--device: {str(error).partition('. ')[0]}: --half keeps maps in half of it, --device cpu needs none of it"
        )
    # The packages' own errors (CheckpointError, DatasetError, ImageError, RecipeError, ...) are ValueErrors whose
    # message is one line. Told by where they come from, they need no import of everything just to fail.
    ours = isinstance(error, ValueError) and type(error).__module__.startswith("reidops_models.")
    if not ours:
        return None
    argument, reason = getattr(error, "argument", None), getattr(error, "reason", None)  # of a SearchError
    return f"{flag_of(argument)}: {reason}" if argument else str(error)


def flag_of(name: str) -> str:
    """An argument as the user types it: `swm_step` is `--swm-step`."""
    return f"--{name.replace('_', '-')}"


def show_progress() -> bool:
    """Whether to show progress bars: they are for people, so not where stderr goes to a file or a pipe."""
    return sys.stderr.isatty()


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """A table on stdout; the first column to the left, the others to the right."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text  # so that `[...]` in file names is not parsed as markup

    heading = Text(title, style="bold") if title else None
    table = Table(title=heading, title_justify="left", box=SIMPLE, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)


def print_evaluation(evaluation: Evaluation) -> None:
    """The tables of an evaluation on stdout, and what they rest on."""
    for title, (header, *rows) in evaluation.tables().items():
        print_table(header, rows, title=title)
    print(evaluation.note)
