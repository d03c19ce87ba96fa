"""The networks and distances behind the tables: each is made once, whichever tables need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from reidops_models.csn.matcher import CsnMatcher
from reidops_models.csn.network import CsnNetwork
from reidops_models.evaluation import RankingResult, evaluate_ranking
from reidops_models.reproduction import Study

PROBES = "query"
BASE, EXTENDED = "L2-L3", "L2-L3-L4"

# What is other than in recipes/demo.yaml. `cls` has no ranking net's loss, and eq. 7 without its second term.
NETWORKS: dict[str, dict[str, Any]] = {
    BASE: {},
    "cls": {"objective": {"ranking": 0.0}},
    "L2": {"network": {"levels": [2]}},
    "L3": {"network": {"levels": [3]}},
    "L4": {"network": {"levels": [4]}},
    EXTENDED: {"network": {"levels": [2, 3, 4]}},
    "C1": {"network": {"levels": [2, 3, 4], "stripes": 1}},
    "C2": {"network": {"levels": [2, 3, 4], "localisation": "central"}},
}
WITHOUT_RANKING = ("cls",)


class Experiments:
    """Networks and distances of a study's seeds; one gallery picture a person, by another camera than the probe's."""

    def __init__(self, study: Study) -> None:
        self.study = study

    def network(self, seed: int, label: str) -> CsnNetwork:
        """One of `NETWORKS`."""
        network = self.study.trained(seed, label, "csn/demo", NETWORKS[label]).network
        assert isinstance(network, CsnNetwork)
        return network

    def matcher(self, seed: int, label: str) -> CsnMatcher:
        """Eq. 7 on a network."""
        network = self.network(seed, label)
        return CsnMatcher(network, ranking=0.0) if label in WITHOUT_RANKING else CsnMatcher(network)

    def distances(self, seed: int, label: str) -> Tensor:
        """(P, people), minus the scores of eq. 7."""
        return self._distances(seed, label, "CSN", self.matcher(seed, label))

    def classified(self, seed: int, label: str) -> Tensor:
        """The same by the probability of "one person" alone."""
        return self._distances(seed, label, "classifier", CsnMatcher(self.network(seed, label), ranking=0.0))

    def ranked_by_vectors(self, seed: int, label: str) -> Tensor:
        """The same by the distance d of the ranking vectors alone."""
        matcher = self.matcher(seed, label)

        def compute() -> Tensor:
            probes, gallery = (torch.stack([one.vectors for one in side]) for side in self._sides(seed, matcher))
            return torch.cdist(probes, gallery)

        return self.study.distances(seed, label, "vectors", compute)

    def ranked(self, distances: Sequence[Tensor]) -> list[RankingResult]:
        """A ranking for each seed, from distances of each."""
        results = []
        for seed, found in zip(self.study.seeds, distances, strict=True):
            search = self.study.search(seed, PROBES)
            people = search.gallery_pids[search.first_of_each]
            results.append(evaluate_ranking(found, search.probe_pids, people))
        return results

    def _distances(self, seed: int, label: str, key: str, matcher: CsnMatcher) -> Tensor:
        return self.study.distances(
            seed,
            label,
            key,
            lambda: matcher.distances(*self._sides(seed, matcher), progress=self.study.progress),
        )

    def _sides(self, seed: int, matcher: CsnMatcher) -> tuple[Any, Any]:
        search = self.study.search(seed, PROBES)
        gallery = [search.gallery[i] for i in search.first_of_each]
        return matcher.embed(search.probes, role="probe"), matcher.embed(gallery)
