"""What all commands say and how: complaints on stderr, a line each, and tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

PARTIAL = 1  # exit code: done, but a result is missing
FAILED = 2  # exit code: not done


class CommandError(Exception):
    """The command cannot do what it was asked; the message is one line."""


def complain(message: str) -> None:
    """One line on stderr."""
    print(f"reidops: {' '.join(message.split())}", file=sys.stderr, flush=True)


def users_error(error: Exception) -> str | None:
    """The one line to say of an error in what the user gave; None for a mistake of ours, which deserves its trace."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, CommandError | OSError):
        return str(error)
    # The packages' own errors (CheckpointError, DatasetError, ImageError, RecipeError, ...) are ValueErrors whose
    # message is one line. Told by where they come from, they need no import of everything just to fail.
    ours = isinstance(error, ValueError) and type(error).__module__.startswith("reidops_models.")
    return str(error) if ours else None


def show_progress() -> bool:
    """Progress bars are for people: none where stderr goes to a file or a pipe."""
    return sys.stderr.isatty()


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """A table on stdout; the first column to the left, the others to the right."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text  # as it is: a file name in square brackets is no markup

    heading = Text(title, style="bold") if title else None
    table = Table(title=heading, title_justify="left", box=SIMPLE, pad_edge=False)
    for index, name in enumerate(header):
        table.add_column(name, justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(highlight=False).print(table)
