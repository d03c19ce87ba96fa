"""How images are compared: what every matcher offers, how it explains a pair, and what the matchers of papers share.

A colour histogram, the baseline of every paper, is in `reidops_models.matching.histogram`; it takes Matplotlib.
"""

from __future__ import annotations

from reidops_models.matching.batches import device_of, embed_in_batches, rescale
from reidops_models.matching.explanations import (
    Alignment,
    Block,
    BlockGrid,
    Box,
    Explanation,
    LocatedRegions,
    Mark,
    Outline,
    Panel,
    PartAttention,
    Reconstruction,
    Scale,
    ScoreMaps,
)
from reidops_models.matching.interface import DerivedMatcher, Embedding, Matcher, Role, probe_scale
from reidops_models.matching.pairs import PAIR_MEMORY, Tile, cut_pairs, pair_bar
from reidops_models.matching.reconstruction import BlockMatcher, Half, block_set
from reidops_models.matching.table import MatchingError, distance_tables
from reidops_models.matching.vectors import Metric, VectorMatcher, vector_distances

__all__ = [
    "PAIR_MEMORY",
    "Alignment",
    "Block",
    "BlockGrid",
    "BlockMatcher",
    "Box",
    "DerivedMatcher",
    "Embedding",
    "Explanation",
    "Half",
    "LocatedRegions",
    "Mark",
    "Matcher",
    "MatchingError",
    "Metric",
    "Outline",
    "Panel",
    "PartAttention",
    "Reconstruction",
    "Role",
    "Scale",
    "ScoreMaps",
    "Tile",
    "VectorMatcher",
    "block_set",
    "cut_pairs",
    "device_of",
    "distance_tables",
    "embed_in_batches",
    "pair_bar",
    "probe_scale",
    "rescale",
    "vector_distances",
]
