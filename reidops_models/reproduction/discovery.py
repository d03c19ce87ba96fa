"""Finding the tables of a paper by the paper's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

from reidops_models.reproduction.study import Study
from reidops_models.reproduction.table import Table

GROUP = "reidops.tables"


def tables_of(paper: str) -> Mapping[str, Callable[[Study], Table]]:
    """The tables and figures of a paper that can be made again, by the names that the paper gives them.

    They are found by entry points, so that a paper in another distribution can offer tables, too. Such a distribution
    has an entry in the group `reidops.tables`, whose name is the paper's and whose value is `module:TABLES`.

    Args:
        paper: the name of the paper, as recipes and checkpoints have it.

    Raises:
        KeyError: the paper has no tables. The message names the papers that have some.

    Example:
        >>> list(tables_of("dpti"))
        ['table4', 'table5', 'figure3', 'presence']
    """
    found = entry_points(group=GROUP)
    if paper not in found.names:
        raise KeyError(
            f"{paper}: there are no tables to reproduce; papers with tables: {', '.join(sorted(found.names))}"
        )
    tables: Mapping[str, Callable[[Study], Table]] = found[paper].load()
    return tables
