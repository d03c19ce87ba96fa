"""How images are compared: what every matcher offers, how it explains a pair, and what the matchers of papers share.

A colour histogram, the baseline of every paper, is in `reidops_models.matching.histogram`; it takes Matplotlib.
"""

from __future__ import annotations

from reidops_models.matching.batches import Prepared, device_of, embed_in_batches, rescale
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
from reidops_models.matching.interface import (
    DerivedMatcher,
    Embedding,
    Matcher,
    PairMatcher,
    QuickMatcher,
    Role,
    is_joint,
    probe_scale,
)
from reidops_models.matching.pairs import PAIR_MEMORY, Tile, cut_pairs, pair_bar
from reidops_models.matching.reconstruction import BlockMatcher, Half, MapAverageMatcher, block_set
from reidops_models.matching.shortlist import OUTSIDE, compare_pairs, in_shortlist
from reidops_models.matching.stored import DistanceTable, StoredTable
from reidops_models.matching.table import MEMORY, Images, MatchingError, distance_tables
from reidops_models.matching.two_stages import TwoStageMatcher
from reidops_models.matching.vectors import Metric, VectorMatcher, vector_distances

__all__ = [
    "MEMORY",
    "OUTSIDE",
    "PAIR_MEMORY",
    "Alignment",
    "Block",
    "BlockGrid",
    "BlockMatcher",
    "Box",
    "DerivedMatcher",
    "DistanceTable",
    "Embedding",
    "Explanation",
    "Half",
    "Images",
    "LocatedRegions",
    "MapAverageMatcher",
    "Mark",
    "Matcher",
    "MatchingError",
    "Metric",
    "Outline",
    "PairMatcher",
    "Panel",
    "PartAttention",
    "Prepared",
    "QuickMatcher",
    "Reconstruction",
    "Role",
    "Scale",
    "ScoreMaps",
    "StoredTable",
    "Tile",
    "TwoStageMatcher",
    "VectorMatcher",
    "block_set",
    "compare_pairs",
    "cut_pairs",
    "device_of",
    "distance_tables",
    "embed_in_batches",
    "in_shortlist",
    "is_joint",
    "pair_bar",
    "probe_scale",
    "rescale",
    "vector_distances",
]
