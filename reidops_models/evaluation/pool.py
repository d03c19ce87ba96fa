"""Results of several seeds as one: each seed has people of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reidops_models.evaluation.ranking import RankingResult
from reidops_models.evaluation.verification import VerificationResult

__all__ = ["pool_rankings", "pool_verifications"]


def pool_rankings(results: Sequence[RankingResult]) -> RankingResult:
    """All probes of several results together. Equal labels in two results are two people.

    A bootstrap over identities of the pooled result then draws among the people of all seeds. Results of two methods,
    pooled in the same order, stay fit for :func:`paired_bootstrap`.

    Raises:
        ValueError: no results, or of different definitions of the average precision.

    Example:
        >>> import torch
        >>> from reidops_models.evaluation import evaluate_ranking
        >>> one = evaluate_ranking(torch.tensor([[0.1, 0.9]]), [1], [1, 2])
        >>> pool_rankings([one, one]).probe_pids.tolist()
        [0, 1]
    """
    if not results:
        raise ValueError("pool_rankings: expected at least one result, got none")
    if len({result.definition for result in results}) > 1:
        raise ValueError("pool_rankings: results must have one definition of the average precision, got several")
    return RankingResult(
        probe_pids=_disjoint([result.probe_pids for result in results]),
        first_match=np.concatenate([result.first_match for result in results]),
        average_precision=np.concatenate([result.average_precision for result in results]),
        inverse_negative_penalty=np.concatenate([result.inverse_negative_penalty for result in results]),
        ranks=results[0].ranks,
        definition=results[0].definition,
        nan_distances=sum(result.nan_distances for result in results),
    )


def pool_verifications(results: Sequence[VerificationResult]) -> VerificationResult:
    """The pairs of several results together, under one threshold. Equal labels in two results are two people.

    Raises:
        ValueError: no results.
    """
    if not results:
        raise ValueError("pool_verifications: expected at least one result, got none")
    return VerificationResult(
        probe_pids=_disjoint([result.probe_pids for result in results]),
        positives=np.concatenate([result.positives for result in results]),
        negatives=np.sum([result.negatives for result in results], axis=0),
    )


def _disjoint(labels: Sequence[np.ndarray]) -> np.ndarray:
    """The labels numbered anew, from 0, through all results."""
    numbered, start = [], 0
    for pids in labels:
        identities, member = np.unique(pids, return_inverse=True)
        numbered.append(start + member)
        start += len(identities)
    return np.concatenate(numbered)
