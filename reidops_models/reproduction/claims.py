"""What a paper says of its table, and whether it holds in ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from reidops_models.evaluation import Interval, RankingResult, paired_bootstrap

Verdict = Literal["holds", "does not hold", "cannot be told at this size"]


@dataclass(frozen=True)
class Claim:
    """One row of a table is better than another.

    Attributes:
        better, worse: names of the rows.
        metric: `r1`, `mAP`, ...
        published: whether the paper says so; otherwise it is a question of ours.
    """

    better: str
    worse: str
    metric: str = "r1"
    published: bool = True

    def __str__(self) -> str:
        return f"{self.better} > {self.worse} ({self.metric})"


@dataclass(frozen=True)
class Comparison:
    """A claim, the difference that was found, and what follows from it."""

    claim: Claim
    difference: Interval
    verdict: Verdict


def judge(claim: Claim, results: Mapping[str, RankingResult]) -> Comparison:
    """Compare two rows on the same probes, by a bootstrap over the people of all seeds.

    The claim holds where the whole 95 % interval of the difference is above 0, and does not where it is below.

    Args:
        claim: what to compare.
        results: by row, pooled over the seeds (`reidops_models.evaluation.pool_rankings`).

    Example:
        >>> import torch
        >>> from reidops_models.evaluation import evaluate_ranking
        >>> near, far = torch.tensor([[0.1, 0.9], [0.9, 0.1]]), torch.tensor([[0.9, 0.1], [0.1, 0.9]])
        >>> results = {name: evaluate_ranking(d, [1, 2], [1, 2]) for name, d in (("a", near), ("b", far))}
        >>> judge(Claim("a", "b"), results).verdict, judge(Claim("b", "a"), results).verdict
        ('holds', 'does not hold')
    """
    difference = paired_bootstrap(results[claim.better], results[claim.worse], claim.metric)
    return Comparison(claim, difference, verdict(difference.low, difference.high))


def verdict(low: float, high: float) -> Verdict:
    """What an interval of a difference says of "it is above 0".

    Example:
        >>> verdict(0.01, 0.05), verdict(-0.02, 0.01)
        ('holds', 'cannot be told at this size')
    """
    if low > 0:
        return "holds"
    return "does not hold" if high < 0 else "cannot be told at this size"
