"""Exact first ranks of DSR from a shortlist that grows until a bound closes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from reidops_models.matching.error_bound import least_distances
from reidops_models.matching.interface import Matcher
from reidops_models.matching.reconstruction import BlockMatcher
from reidops_models.matching.shortlist import compare_pairs, nearest, with_the_rest_behind
from reidops_models.matching.two_stages import TwoStageMatcher

CHEAP = 0.1  # of the gallery


@dataclass
class ExactCost:
    """How many lassos exact ranks took.

    Attributes:
        compared: of each probe so far, the share of the gallery in [0, 1] whose distances were computed.
        closed: of each probe, whether the first shortlist was enough.
    """

    compared: list[float] = field(default_factory=list)
    closed: list[bool] = field(default_factory=list)

    @property
    def cheap(self) -> float:
        """The share of the probes for which a tenth of the gallery or less was enough; NaN without a probe."""
        return float(np.mean(np.array(self.compared) <= CHEAP)) if self.compared else float("nan")

    def __str__(self) -> str:
        """In one line.

        Example:
            >>> print(ExactCost([0.05, 0.45], [True, False]))
            exact: 25 % of the pairs compared; 10 % or less for 50 % of the probes; the first shortlist enough for 50 %
        """
        share, closed = (100 * float(np.mean(values)) if values else 0.0 for values in (self.compared, self.closed))
        return (
            f"exact: {share:.3g} % of the pairs compared; {100 * CHEAP:.0f} % or less for {100 * self.cheap:.3g} % of "
            f"the probes; the first shortlist enough for {closed:.3g} %"
        )


class ExactMatcher(TwoStageMatcher):
    """The first ranks of DSR as an exhaustive search gives them, with most pairs left out.

    A shortlist is ranked. An image outside it can be among the first ranks only if its least distance
    (`least_distances`) is not above the distance at the last of these ranks. The images with the smallest least
    distances join the shortlist until no such image is left. No exact method that sees the least distances alone
    compares fewer pairs, but for those in the first shortlist and in the last step (Seidl and Kriegel, SIGMOD 1998).

    Args:
        first: the quick method, which chooses the shortlist to begin with.
        second: DSR.
        shortlist: images to begin with, and images that join at a time.
        ranks: first ranks that are exact; more of a small gallery are all.

    Attributes:
        cost: of all probes so far.

    Example:
        >>> from torch import nn
        >>> from reidops_models.matching import MapAverageMatcher
        >>> second = BlockMatcher(nn.Sequential(nn.Conv2d(3, 9, 3), nn.ReLU()), (8, 5))
        >>> matcher = ExactMatcher(MapAverageMatcher(second), second, shortlist=2, ranks=3)
        >>> gallery = matcher.embed([torch.rand(3, 8, 5) for _ in range(6)])
        >>> maps = [image.second for image in gallery]
        >>> exhaustive = second.distances(maps[:1], maps).sort().values[:, :3]
        >>> torch.equal(matcher.distances(gallery[:1], gallery).sort().values[:, :3], exhaustive)
        True
    """

    def __init__(self, first: Matcher, second: BlockMatcher, shortlist: int, ranks: int) -> None:
        super().__init__(first, second, shortlist)
        if ranks < 1:
            raise ValueError(f"ExactMatcher: ranks must be 1 or more, got {ranks}")
        self.second: BlockMatcher = second
        self.ranks = ranks
        self.name = f"{second.name} exact to rank {ranks}"
        self.cost = ExactCost()

    def rank(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], order: Tensor, progress: bool) -> Tensor:
        """(P, G): as of :class:`TwoStageMatcher`. What is outside comes behind, in the order of its least distance."""
        second, count = self.second, len(gallery)
        least = least_distances(probes, gallery, second.beta, scales=second.scales)
        found = torch.full((len(probes), count), torch.inf, dtype=torch.float32)
        compared = torch.zeros(found.shape, dtype=torch.bool)
        candidates, rounds = order[:, : self.shortlist], torch.zeros(len(probes))
        while (candidates >= 0).any():
            rounds += (candidates >= 0).any(dim=1)
            values = compare_pairs(second, probes, gallery, candidates, progress=progress)
            rows, columns = (candidates >= 0).nonzero(as_tuple=True)
            found[rows, candidates[rows, columns]] = values[rows, columns]
            compared[rows, candidates[rows, columns]] = True
            # NaN sorts last; without a last rank nothing is ruled out.
            last = found.sort(dim=1).values[:, min(self.ranks, count) - 1 : min(self.ranks, count)].double()
            possible = ~compared & ~(least > last)
            next_ones = nearest(torch.where(possible, least, torch.inf), self.shortlist)
            candidates = torch.where(possible.gather(1, next_ones), next_ones, -1)
        self.cost.compared += compared.double().mean(dim=1).tolist() if count else []
        self.cost.closed += (rounds <= 1).tolist() if count else []
        ranking = torch.where(compared, -1.0, least).argsort(dim=1, stable=True)
        places = torch.where(compared, torch.arange(count), -1)
        return with_the_rest_behind(found, places, ranking)
