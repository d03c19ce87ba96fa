"""What follows on a model's distances: a shortlist that another method ranks, and re-ranking."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reidops_models.checkpoint import Checkpoint
from reidops_models.matching import BlockMatcher, Matcher, TwoStageMatcher
from reidops_models.matching.exact import ExactMatcher
from reidops_models.retrieval.errors import SearchError


@dataclass(frozen=True)
class KReciprocal:
    """k-reciprocal re-ranking (Zhong et al., CVPR 2017; `reidops_models.reranking`).

    Attributes:
        k1, k2: lengths of the neighbour lists that are compared and averaged.
        weight: the share of the distance itself, in [0, 1].
    """

    k1: int = 20
    k2: int = 6
    weight: float = 0.3


@dataclass(frozen=True)
class Stages:
    """What follows on a model's distances. Without an argument nothing does.

    Attributes:
        shortlist: images of the gallery that are ranked for each probe, those nearest by the model's quick method:
            DSR's averages of maps, STNReID's and CSN's vectors, the distances of a model that compares vectors.
        exact: ranks that are those of an exhaustive search; the shortlist grows until that is certain. DSR only.
        k_reciprocal: k-reciprocal re-ranking.
        expand: query expansion: distances are averaged over a probe and so many of its nearest gallery images.

    Raises:
        SearchError: a number out of range, or what does not go together.

    Example:
        >>> from reidops_models.retrieval.model import find_model
        >>> Stages(shortlist=100).matcher(find_model("dpti"), find_model("dsr")).name
        'DSR multi-scale on 100 of DPTI'
    """

    shortlist: int | None = None
    exact: int | None = None
    k_reciprocal: KReciprocal | None = None
    expand: int | None = None

    def __post_init__(self) -> None:
        for name in ("shortlist", "exact", "expand"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise SearchError(f"expected a whole number, 1 or more, got {value!r}", argument=name)
        if (again := self.k_reciprocal) is not None:
            whole = all(type(value) is int and value >= 1 for value in (again.k1, again.k2))
            if not whole or not 0 <= again.weight <= 1:
                expected = "k1 and k2 of 1 or more and a weight in [0, 1]"
                got = f"{again.k1}, {again.k2}, {again.weight}"
                raise SearchError(f"expected {expected}, got {got}", argument="k_reciprocal")
        if self.exact is not None and self.shortlist is None:
            raise SearchError("there must be a shortlist that grows; shortlist is missing", argument="exact")
        if self.expand is not None and (self.shortlist is not None or self.k_reciprocal is not None):
            raise SearchError("it goes with neither shortlist nor k-reciprocal", argument="expand")

    def __bool__(self) -> bool:
        """Whether anything follows."""
        return self != Stages()

    def matcher(
        self, first: Checkpoint, second: Checkpoint | None = None, sizes: Iterable[tuple[int, int]] | None = None
    ) -> Matcher:
        """The method with its stages.

        Args:
            first: makes the shortlist.
            second: ranks it; None: `first` does. Without a shortlist there is no second.
            sizes: (height, width) of each gallery image; None: the probes have the network's scale already.

        Raises:
            SearchError: `exact` with a model that does not reconstruct, or `second` without a shortlist.
        """
        sizes = None if sizes is None else list(sizes)
        quick = first.methods(sizes)
        second = None if second is first else second
        if second is not None and self.shortlist is None:
            raise SearchError("there must be a shortlist to rank; shortlist is missing", argument="rerank")
        found = quick.main if second is None else second.methods(sizes).main
        if self.shortlist is not None:
            found = self._shortlisted(quick.quick or quick.main, found)
        if self.k_reciprocal is not None:
            from reidops_models.matching.reciprocal import ReciprocalMatcher  # with SciPy

            found = ReciprocalMatcher(found, **vars(self.k_reciprocal))
        if self.expand is not None:
            from reidops_models.matching.reciprocal import ExpansionMatcher

            found = ExpansionMatcher(found, self.expand)
        return found

    def ranks(self, top: int | None) -> int | None:
        """How many ranks of `top` mean something: those of the shortlist, and those that are exact."""
        known = [value for value in (top, self.shortlist if self.exact is None else self.exact) if value is not None]
        return min(known, default=None)

    def _shortlisted(self, quick: Matcher, found: Matcher) -> Matcher:
        assert self.shortlist is not None
        if self.exact is None:
            return TwoStageMatcher(quick, found, self.shortlist)
        if not isinstance(found, BlockMatcher):
            raise SearchError(f"{found.name} has no bound of its distances; dsr has one", argument="exact")
        return ExactMatcher(quick, found, self.shortlist, self.exact)


def exact_cost(matcher: Matcher) -> str:
    """How often exact ranks were cheap, in one line; empty where a matcher makes none."""
    found = getattr(matcher, "matcher", matcher)  # of re-ranking
    return str(found.cost) if isinstance(found, ExactMatcher) else ""
