"""The networks and distances behind the tables: each is made once, whichever tables need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

import reidops
from reidops_models.dsr.fusion import fuse
from reidops_models.dsr.matcher import DsrMatcher, ResizingMatcher
from reidops_models.embedding import rescale
from reidops_models.evaluation import (
    RankingResult,
    VerificationResult,
    evaluate_multi_shot,
    evaluate_ranking,
    evaluate_verification,
)
from reidops_models.matching import Matcher, probe_scale
from reidops_models.reproduction import Search, Study
from reidops_models.reproduction.study import generator

PARTIAL, WHOLE = "partial_query", "query"
PRE_TRAINED, FINE_TUNED, IMPLICIT = "pre-trained", "fine-tuned", "fine-tuned-implicit"
CONTROL = "fine-tuned-control"  # the same steps on the same pairs, without eq. 5
LARGE = "pre-trained-large"  # on pictures of twice the size, so that its maps are 16x8
SINGLE, DOUBLE, TRIPLE = (1,), (1, 2), (1, 2, 3)


class Experiments:
    """Distances of a study's seeds by method, network and probe set. Nothing is resized but by the method itself."""

    def __init__(self, study: Study) -> None:
        self.study = study

    # --- networks ---------------------------------------------------------------------------------------------------

    def network(self, seed: int, label: str) -> Any:
        """A trained checkpoint: softmax pre-training, or one of the fine-tunings that start from it."""
        if label == PRE_TRAINED:
            return self.study.trained(seed, label, "dsr/demo")
        if label == LARGE:  # an epoch costs four times as much
            changes = {"images": {"size": [256, 128]}, "training": {"epochs": 20}}
            return self.study.trained(seed, label, "dsr/demo", changes)
        gradients = {
            FINE_TUNED: {"gradient": "constant"},
            IMPLICIT: {"gradient": "implicit"},
            CONTROL: {"weight": 1e-9},
        }
        changes = {"fine_tuning": gradients[label]}
        return self.study.trained(seed, label, "dsr/demo_finetune", changes, start=self._pre_trained)

    def _pre_trained(self, seed: int) -> Any:
        self.network(seed, PRE_TRAINED)
        return self.study.checkpoint(seed, PRE_TRAINED)

    def matchers(self, seed: int, label: str) -> dict[str, Matcher]:
        """All rows of table 1 on a network, by name."""
        checkpoint, sizes = self.network(seed, label), self._gallery_sizes(seed)
        return {matcher.name: matcher for matcher in (*checkpoint.methods(sizes), *checkpoint.rivals(sizes))}

    def dsr(self, seed: int, label: str, scales: Sequence[int]) -> DsrMatcher:
        """DSR with these blocks."""
        checkpoint = self.network(seed, label)
        size, beta = checkpoint.recipe.images.size, checkpoint.recipe.matching.beta
        scale = probe_scale(self._gallery_sizes(seed), size)
        return DsrMatcher(checkpoint.network, size, scales=scales, beta=beta, probe_scale=scale)

    def _gallery_sizes(self, seed: int) -> list[tuple[int, int]]:
        return [(image.shape[1], image.shape[2]) for image in self.study.search(seed, PARTIAL).gallery]

    # --- distances --------------------------------------------------------------------------------------------------

    def table(self, seed: int, label: str, method: str, probe_set: str = PARTIAL) -> Tensor:
        """(P, G) distances of a row of table 1 to all gallery pictures, one dictionary a picture."""
        return self._kept(seed, label, f"{method} {probe_set}", self.matchers(seed, label)[method], probe_set)

    def pooled(self, seed: int, label: str, probe_set: str) -> Tensor:
        """(P, G) Euclidean distances of the averages over locations, ResNet-50's pool5 in table 4."""
        checkpoint = self.network(seed, label)
        matcher = ResizingMatcher(checkpoint.network, checkpoint.recipe.images.size, pool="average")
        return self._kept(seed, label, f"pool5 {probe_set}", matcher, probe_set)

    def blocks(self, seed: int, label: str, scales: Sequence[int], probe_set: str = PARTIAL) -> Tensor:
        """(P, G) distances of DSR with these blocks."""
        key = f"DSR {'+'.join(map(str, scales))} {probe_set}"
        return self._kept(seed, label, key, self.dsr(seed, label, scales), probe_set)

    def people(self, seed: int, label: str, method: str, shots: int) -> Tensor:
        """(P, people) distances of AMC, DSR with a dictionary a person (`groups`), DSR with one for all (`joint`)."""
        search = self.study.search(seed, PARTIAL)
        chosen = search.first_of_each if shots == 1 else list(range(len(search.gallery)))
        groups = search.gallery_pids[chosen].tolist()

        def compute() -> Tensor:
            matcher = self.matchers(seed, label)["AMC" if method == "AMC" else "DSR single-scale"]
            probes = matcher.embed(search.probes, role="probe")
            gallery = matcher.embed([search.gallery[i] for i in chosen])
            if method == "AMC":
                return matcher.distances(probes, gallery, groups=groups)  # type: ignore[call-arg]  # AMC's own
            beta, kind = self.network(seed, label).recipe.matching.beta, "joint" if method == "joint" else "lasso"
            with torch.inference_mode():
                return reidops.dsr_distance(probes, gallery, beta, method=kind, groups=groups)

        return self.study.distances(seed, label, f"{method} of people N={shots}", compute)

    def fused(self, seed: int, label: str, shots: int) -> Tensor:
        """(P, people) distances of AMC+SWM."""
        search = self.study.search(seed, PARTIAL)
        swm = self.table(seed, label, "SWM")
        means = [swm[:, indices].mean(1) for indices in _pictures(search, shots)]
        weight = self.network(seed, label).recipe.matching.amc_weight
        return fuse(self.people(seed, label, "AMC", shots), torch.stack(means, dim=1), weight)

    def rescaled(self, seed: int, label: str, method: str | Sequence[int], factor: float | None) -> Tensor:
        """(P, people) distances of a row of table 1, or of DSR with these blocks, when probes come at another scale.

        All probes are resized by the factor, or (None) each by its own, log-uniform between 1/2 and 2. The gallery has
        one picture a person.
        """
        search = self.study.search(seed, PARTIAL)
        random = 4 ** (torch.rand(len(search.probes), generator=generator(seed, 3)) - 0.5)
        factors = random.tolist() if factor is None else [factor] * len(search.probes)

        def compute() -> Tensor:
            matcher = self.matchers(seed, label)[method] if isinstance(method, str) else self.dsr(seed, label, method)
            pictures = [rescale(one, by) for one, by in zip(search.probes, factors, strict=True)]
            gallery = matcher.embed([search.gallery[i] for i in search.first_of_each])
            return matcher.distances(matcher.embed(pictures, role="probe"), gallery)

        named = method if isinstance(method, str) else f"DSR {'+'.join(map(str, method))}"
        by = "random" if factor is None else f"{factor:g}"
        return self.study.distances(seed, label, f"{named} rescaled {by}", compute)

    def _kept(self, seed: int, label: str, key: str, matcher: Matcher, probe_set: str) -> Tensor:
        search = self.study.search(seed, probe_set)

        def compute() -> Tensor:
            probes = matcher.embed(search.probes, role="probe", progress=self.study.progress)
            gallery = matcher.embed(search.gallery, progress=self.study.progress)
            return matcher.distances(probes, gallery, progress=self.study.progress)

        return self.study.distances(seed, label, key, compute)

    # --- results ----------------------------------------------------------------------------------------------------

    def ranked(
        self, distances: Callable[[int], Tensor], shots: int = 1, probe_set: str = PARTIAL
    ) -> list[RankingResult]:
        """A ranking for each seed, of distances to pictures (P, G), to one picture a person, or to people."""
        results = []
        for seed in self.study.seeds:
            search, table = self.study.search(seed, probe_set), distances(seed)
            people = search.gallery_pids[search.first_of_each]
            if table.shape[1] == len(people):
                results.append(evaluate_ranking(table, search.probe_pids, people))
            elif shots == 1:
                results.append(evaluate_ranking(table[:, search.first_of_each], search.probe_pids, people))
            else:
                every = search.gallery_pids
                results.append(evaluate_multi_shot(table, search.probe_pids, every, shots=shots, repeats=1))
        return results

    def verified(self, distances: Callable[[int], Tensor], shots: int = 1) -> list[VerificationResult]:
        """All pairs of probes and people of each seed, by the mean distance to a person's pictures."""
        results = []
        for seed in self.study.seeds:
            search, table = self.study.search(seed, PARTIAL), distances(seed)
            people = search.gallery_pids[search.first_of_each]
            if table.shape[1] != len(people):
                table = torch.stack([table[:, indices].mean(1) for indices in _pictures(search, shots)], dim=1)
            results.append(evaluate_verification(table, search.probe_pids, people))
        return results


def _pictures(search: Search, shots: int) -> list[list[int]]:
    """Gallery indices of the first pictures of each person."""
    people = search.gallery_pids[search.first_of_each]
    return [np.flatnonzero(search.gallery_pids == pid)[:shots].tolist() for pid in people]
