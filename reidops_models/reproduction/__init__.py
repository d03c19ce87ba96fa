"""Reproducing the tables of papers in miniature, on drawn people.

A `Study` draws people and trains networks, for several seeds, and does nothing twice. `Runs` names the networks of a
paper and gives rankings of what they find. A `Table` sets what was found beside what the paper printed, and every
`Claim` of the paper gets a verdict. Each paper has a folder here, and `tables_of` finds its tables. Papers know nothing
of this package.
"""

from __future__ import annotations

from reidops_models.reproduction.claims import Claim, Comparison, judge
from reidops_models.reproduction.discovery import tables_of
from reidops_models.reproduction.runs import Merged, Runs, Variant
from reidops_models.reproduction.study import Search, Study
from reidops_models.reproduction.table import Row, Table

__all__ = ["Claim", "Comparison", "Merged", "Row", "Runs", "Search", "Study", "Table", "Variant", "judge", "tables_of"]
