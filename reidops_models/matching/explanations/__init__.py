"""Explanations: how one probe image was matched to one gallery image, and the panels that show it.

A paper may use one of those here, or bring its own: what a report needs is :class:`Explanation`.
"""

from __future__ import annotations

from reidops_models.matching.explanations.alignment import Alignment
from reidops_models.matching.explanations.grid import BlockGrid
from reidops_models.matching.explanations.located_regions import LocatedRegions
from reidops_models.matching.explanations.panel import Block, Box, Explanation, Mark, Outline, Panel, Scale
from reidops_models.matching.explanations.part_attention import PartAttention
from reidops_models.matching.explanations.reconstruction import Reconstruction
from reidops_models.matching.explanations.score_maps import ScoreMaps

__all__ = [
    "Alignment",
    "Block",
    "BlockGrid",
    "Box",
    "Explanation",
    "LocatedRegions",
    "Mark",
    "Outline",
    "Panel",
    "PartAttention",
    "Reconstruction",
    "Scale",
    "ScoreMaps",
]
