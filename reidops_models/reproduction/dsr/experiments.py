"""The networks behind the tables, and the distances that a table asks for beyond those of one matcher."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import reidops
from reidops_models.dsr.fusion import fuse
from reidops_models.dsr.matcher import DsrMatcher, ResizingMatcher
from reidops_models.dsr.recipe import DsrRecipe
from reidops_models.matching import Matcher, probe_scale, rescale
from reidops_models.reproduction import Runs, Study, Variant
from reidops_models.reproduction.runs import mean_of_people
from reidops_models.reproduction.study import generator

PARTIAL, WHOLE = "partial_query", "query"
PRE_TRAINED, FINE_TUNED, IMPLICIT = "pre-trained", "fine-tuned", "fine-tuned-implicit"
CONTROL = "fine-tuned-control"  # the same steps on the same pairs, without eq. 5
LARGE = "pre-trained-large"  # on images of twice the size, so that its maps are 16x8
VARIANTS = {
    PRE_TRAINED: Variant("dsr/demo"),
    LARGE: Variant("dsr/demo", {"images": {"size": [256, 128]}, "training": {"epochs": 20}}),  # slow epochs, so fewer
    FINE_TUNED: Variant("dsr/demo_finetune", {"fine_tuning": {"gradient": "constant"}}, start=PRE_TRAINED),
    IMPLICIT: Variant("dsr/demo_finetune", {"fine_tuning": {"gradient": "implicit"}}, start=PRE_TRAINED),
    CONTROL: Variant("dsr/demo_finetune", {"fine_tuning": {"weight": 1e-9}}, start=PRE_TRAINED),
}
SINGLE, DOUBLE, TRIPLE = (1,), (1, 2), (1, 2, 3)


class DsrRuns(Runs):
    """Partial probes; the gallery shows everybody three times. Nothing is resized but by the method itself."""

    def __init__(self, study: Study) -> None:
        super().__init__(study, VARIANTS, probe_set=PARTIAL)

    def recipe(self, seed: int, variant: str) -> DsrRecipe:
        """The recipe that a network was trained by."""
        recipe = self.checkpoint(seed, variant).recipe
        assert isinstance(recipe, DsrRecipe)
        return recipe

    def dsr(self, seed: int, variant: str, scales: Sequence[int]) -> DsrMatcher:
        """DSR with these blocks."""
        recipe = self.recipe(seed, variant)
        size, beta = recipe.images.size, recipe.matching.beta
        scale = probe_scale(self.gallery_sizes(seed), size)
        return DsrMatcher(self.network(seed, variant), size, scales=scales, beta=beta, probe_scale=scale)

    def matched(self, seed: int, variant: str, method: str, probe_set: str = PARTIAL) -> Tensor:
        """(P, G) distances by a row of table 1, with one dictionary per gallery image."""
        return self.distances(seed, variant, f"{method} {probe_set}", self.matchers(seed, variant)[method], probe_set)

    def pooled(self, seed: int, variant: str, probe_set: str) -> Tensor:
        """(P, G) Euclidean distances of the averages over locations, ResNet-50's pool5 in table 4."""
        size = self.recipe(seed, variant).images.size
        matcher = ResizingMatcher(self.network(seed, variant), size, pool="average")
        return self.distances(seed, variant, f"pool5 {probe_set}", matcher, probe_set)

    def blocks(self, seed: int, variant: str, scales: Sequence[int]) -> Tensor:
        """(P, G) distances by DSR with these blocks."""
        return self.distances(seed, variant, f"{_named(scales)} {PARTIAL}", self.dsr(seed, variant, scales))

    def people(self, seed: int, variant: str, method: str, shots: int) -> Tensor:
        """(P, people) distances by AMC, or by DSR with one dictionary per person (`groups`) or one for all (`joint`).

        Each person has one gallery image where `shots` is 1, and otherwise all of them.
        """
        search = self.search(seed).single_shot if shots == 1 else self.search(seed)
        groups = search.gallery_pids.tolist()

        def compute() -> Tensor:
            matcher = self.matchers(seed, variant)["AMC" if method == "AMC" else "DSR single-scale"]
            probes, gallery = matcher.embed(search.probes, role="probe"), matcher.embed(search.gallery)
            if method == "AMC":
                return matcher.distances(probes, gallery, groups=groups)  # type: ignore[call-arg]  # AMC's own
            beta = self.recipe(seed, variant).matching.beta
            kind = "joint" if method == "joint" else "lasso"
            with torch.inference_mode():
                return reidops.dsr_distance(probes, gallery, beta, method=kind, groups=groups)

        return self.kept(seed, variant, f"{method} of people N={shots}", compute)

    def fused(self, seed: int, variant: str, shots: int) -> Tensor:
        """(P, people) distances by AMC+SWM."""
        swm = mean_of_people(self.matched(seed, variant, "SWM"), self.search(seed), shots)
        weight = self.recipe(seed, variant).matching.amc_weight
        return fuse(self.people(seed, variant, "AMC", shots), swm, weight)

    def rescaled(self, seed: int, variant: str, method: str | Sequence[int], factor: float | None) -> Tensor:
        """(P, people) distances when probes come at another scale than the gallery, which has one image per person.

        Args:
            method: a row of table 1, or the blocks of DSR.
            factor: by which all probes are resized. None resizes each by its own, log-uniform between 1/2 and 2.
        """
        search = self.search(seed).single_shot
        random = 4 ** (torch.rand(len(search.probes), generator=generator(seed, 3)) - 0.5)
        factors = random.tolist() if factor is None else [factor] * len(search.probes)

        def compute() -> Tensor:
            matcher: Matcher
            if isinstance(method, str):
                matcher = self.matchers(seed, variant)[method]
            else:
                matcher = self.dsr(seed, variant, method)
            images = [rescale(one, by) for one, by in zip(search.probes, factors, strict=True)]
            gallery = matcher.embed(search.gallery)
            return matcher.distances(matcher.embed(images, role="probe"), gallery)

        named = method if isinstance(method, str) else _named(method)
        by = "random" if factor is None else f"{factor:g}"
        return self.kept(seed, variant, f"{named} rescaled {by}", compute)


def _named(scales: Sequence[int]) -> str:
    return f"DSR {'+'.join(map(str, scales))}"
