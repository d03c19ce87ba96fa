"""Reproducing a paper's tables in miniature, on drawn people: what all papers share.

A `Study` draws people and trains networks, for several seeds, and does nothing twice. A `Table` sets what was found
beside what the paper printed, and every `Claim` of the paper gets a verdict.
"""

from __future__ import annotations

from .claims import Claim, Comparison, judge
from .study import Search, Study
from .table import Row, Table

__all__ = ["Claim", "Comparison", "Row", "Search", "Study", "Table", "judge"]
