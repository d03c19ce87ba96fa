"""How good a ranking is: CMC and mAP, how sure that is, and tables of it.

>>> import torch
>>> distances = torch.tensor([[0.1, 0.7, 0.4], [0.3, 0.2, 0.5]])
>>> result = evaluate_ranking(distances, probe_pids=[1, 3], gallery_pids=[1, 2, 3], ranks=(1, 3))
>>> result.cmc, round(result.mAP, 4)
({1: 0.5, 3: 1.0}, 0.6667)
"""

from __future__ import annotations

from .bootstrap import Interval, bootstrap_interval, paired_bootstrap
from .ranking import RankingAccumulator, RankingResult, evaluate_ranking
from .single_shot import evaluate_single_shot
from .table import format_table

__all__ = [
    "Interval",
    "RankingAccumulator",
    "RankingResult",
    "bootstrap_interval",
    "evaluate_ranking",
    "evaluate_single_shot",
    "format_table",
    "paired_bootstrap",
]
