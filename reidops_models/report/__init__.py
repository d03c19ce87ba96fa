"""What a person looks at: an HTML report of ranked lists with images, and CMC, ROC and reliability curves.

Knows images and explanations, and nothing of any one model.
"""

from __future__ import annotations

from reidops_models.report.cmc import draw_cmc
from reidops_models.report.fragment import draw_explanation, drawing_css
from reidops_models.report.grid import draw_grid
from reidops_models.report.page import RankedImage, RankedProbe, write_report
from reidops_models.report.pixels import heat, thumbnail
from reidops_models.report.reliability import draw_reliability
from reidops_models.report.roc import draw_roc

__all__ = [
    "RankedImage",
    "RankedProbe",
    "draw_cmc",
    "draw_explanation",
    "draw_grid",
    "draw_reliability",
    "draw_roc",
    "drawing_css",
    "heat",
    "thumbnail",
    "write_report",
]
