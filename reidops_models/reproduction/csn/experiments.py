"""The networks behind the tables, and three ways to score with them."""

from __future__ import annotations

import torch
from torch import Tensor

from reidops_models.csn.matcher import CsnMatcher
from reidops_models.reproduction import Runs, Study, Variant

BASE, EXTENDED = "L2-L3", "L2-L3-L4"
VARIANTS = {
    BASE: Variant("csn/demo"),
    "cls": Variant("csn/demo", {"objective": {"ranking": 0.0}}),
    "L2": Variant("csn/demo", {"network": {"levels": [2]}}),
    "L3": Variant("csn/demo", {"network": {"levels": [3]}}),
    "L4": Variant("csn/demo", {"network": {"levels": [4]}}),
    EXTENDED: Variant("csn/demo", {"network": {"levels": [2, 3, 4]}}),
    "C1": Variant("csn/demo", {"network": {"levels": [2, 3, 4], "stripes": 1}}),
    "C2": Variant("csn/demo", {"network": {"levels": [2, 3, 4], "localisation": "central"}}),
}
WITHOUT_RANKING = ("cls",)  # trained without the ranking net's loss, so that eq. 7 has no second term


class CsnRuns(Runs):
    """One gallery image per person, by another camera than the probe's."""

    def __init__(self, study: Study) -> None:
        super().__init__(study, VARIANTS, gallery="first")

    def matcher(self, seed: int, variant: str) -> CsnMatcher:
        """Eq. 7 on a network."""
        network = self.network(seed, variant)
        return CsnMatcher(network, ranking=0.0) if variant in WITHOUT_RANKING else CsnMatcher(network)

    def matched(self, seed: int, variant: str) -> Tensor:
        """(P, people), minus the scores of eq. 7."""
        return self.distances(seed, variant, "CSN", self.matcher(seed, variant))

    def classified(self, seed: int, variant: str) -> Tensor:
        """(P, people), minus the probability of "one person" alone."""
        return self.distances(seed, variant, "classifier", CsnMatcher(self.network(seed, variant), ranking=0.0))

    def by_vectors(self, seed: int, variant: str) -> Tensor:
        """(P, people), the distance d of the ranking vectors alone."""

        def compute() -> Tensor:
            sides = self.embedded(seed, self.matcher(seed, variant))
            probes, gallery = (torch.stack([one.vectors for one in side]) for side in sides)
            return torch.cdist(probes, gallery)

        return self.kept(seed, variant, "vectors", compute)
