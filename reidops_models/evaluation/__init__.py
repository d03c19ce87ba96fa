"""How good a ranking is: CMC and mAP, how sure that is, and tables of it; what a distance means.

>>> import torch
>>> distances = torch.tensor([[0.1, 0.7, 0.4], [0.3, 0.2, 0.5]])
>>> result = evaluate_ranking(distances, probe_pids=[1, 3], gallery_pids=[1, 2, 3], ranks=(1, 3))
>>> result.cmc, round(result.mAP, 4)
({1: 0.5, 3: 1.0}, 0.6667)
"""

from __future__ import annotations

from reidops_models.evaluation.bootstrap import Interval, bootstrap_interval, paired_bootstrap, verification_interval
from reidops_models.evaluation.calibration import Calibration, CalibrationError, calibrate
from reidops_models.evaluation.open_set import OpenSetAccumulator, OpenSetResult, evaluate_open_set
from reidops_models.evaluation.pool import pool_rankings, pool_verifications
from reidops_models.evaluation.ranking import RankingAccumulator, RankingResult, evaluate_ranking
from reidops_models.evaluation.reliability import Reliability, reliability
from reidops_models.evaluation.shortlist import ShortlistAccumulator, ShortlistResult
from reidops_models.evaluation.shots import MultiShotAccumulator, evaluate_multi_shot, evaluate_single_shot
from reidops_models.evaluation.table import format_table, markdown_table
from reidops_models.evaluation.verification import VerificationAccumulator, VerificationResult, evaluate_verification

__all__ = [
    "Calibration",
    "CalibrationError",
    "Interval",
    "MultiShotAccumulator",
    "OpenSetAccumulator",
    "OpenSetResult",
    "RankingAccumulator",
    "RankingResult",
    "Reliability",
    "ShortlistAccumulator",
    "ShortlistResult",
    "VerificationAccumulator",
    "VerificationResult",
    "bootstrap_interval",
    "calibrate",
    "evaluate_multi_shot",
    "evaluate_open_set",
    "evaluate_ranking",
    "evaluate_single_shot",
    "evaluate_verification",
    "format_table",
    "markdown_table",
    "paired_bootstrap",
    "pool_rankings",
    "pool_verifications",
    "reliability",
    "verification_interval",
]
