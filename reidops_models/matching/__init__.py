"""How images are compared: what every matcher offers, how it explains a pair, and what the matchers of papers share.

A colour histogram, the baseline of every paper, is in `reidops_models.matching.histogram`; it takes Matplotlib.
"""

from __future__ import annotations

from reidops_models.matching.batches import device_of, embed_in_batches, rescale
from reidops_models.matching.descriptors import DescriptorMatcher
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
from reidops_models.matching.interface import Matcher, Role, probe_scale

__all__ = [
    "Alignment",
    "Block",
    "BlockGrid",
    "Box",
    "DescriptorMatcher",
    "Explanation",
    "LocatedRegions",
    "Mark",
    "Matcher",
    "Outline",
    "Panel",
    "PartAttention",
    "Reconstruction",
    "Role",
    "Scale",
    "ScoreMaps",
    "device_of",
    "embed_in_batches",
    "probe_scale",
    "rescale",
]
