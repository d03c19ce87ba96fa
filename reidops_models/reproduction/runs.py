"""The networks and distances behind the tables of a paper. Each is made once, whichever tables need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from reidops_models.checkpoint import Checkpoint
from reidops_models.evaluation import (
    RankingResult,
    VerificationResult,
    evaluate_multi_shot,
    evaluate_ranking,
    evaluate_verification,
)
from reidops_models.matching import Matcher
from reidops_models.reproduction.study import Search, Study


@dataclass(frozen=True)
class Variant:
    """A network that is trained.

    Attributes:
        recipe: a recipe's name, such as `dsr/demo`.
        changes: sections of the recipe with other values, as :meth:`Study.trained` takes them.
        start: the variant from whose weights the training starts; None starts from random weights.
        start_seed: the seed of that variant; None is the seed of the network itself.
    """

    recipe: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    start: str | None = None
    start_seed: int | None = None


@dataclass(frozen=True)
class Merged:
    """A network that is made of others, without training.

    Attributes:
        sources: the variants that it is made of.
        build: takes their checkpoints in this order and returns the new one.
    """

    sources: tuple[str, ...]
    build: Callable[..., Checkpoint]


class Runs:
    """The networks of a study by variant, and what they find. A paper with methods of its own derives from it.

    Args:
        study: keeps networks and distances.
        variants: how each network is made, by name.
        gallery: whether "all" gallery images are searched, or only the "first" one of each person.
        probe_set: the probes of whatever names no others.
    """

    def __init__(
        self,
        study: Study,
        variants: Mapping[str, Variant | Merged],
        *,
        gallery: Literal["all", "first"] = "all",
        probe_set: str = "query",
    ) -> None:
        self.study = study
        self.variants = variants
        self.gallery = gallery
        self.probe_set = probe_set

    # --- networks ---------------------------------------------------------------------------------------------------

    def checkpoint(self, seed: int, variant: str) -> Checkpoint:
        """The trained or merged network with its recipe."""
        made, label = self.variants[variant], label_of(variant)
        if isinstance(made, Merged):
            parts = [self.checkpoint(seed, source) for source in made.sources]
            files = [self.weights(seed, source) for source in made.sources]
            return self.study.derived(seed, label, files, lambda: made.build(*parts))

        def start(own: int) -> Path:
            assert made.start is not None
            return self.weights(own if made.start_seed is None else made.start_seed, made.start)

        return self.study.trained(seed, label, made.recipe, made.changes, start if made.start else None)

    def network(self, seed: int, variant: str) -> Any:
        """The network alone. It has the class that the paper's `build_network` gives."""
        return self.checkpoint(seed, variant).network

    def weights(self, seed: int, variant: str) -> Path:
        """The file with the network's weights, for a training that starts from them."""
        self.checkpoint(seed, variant)
        return self.study.checkpoint(seed, label_of(variant))

    def matchers(self, seed: int, variant: str) -> dict[str, Matcher]:
        """The methods and the rivals of the paper on a network, by name."""
        built = self.checkpoint(seed, variant).matchers(self.gallery_sizes(seed), rivals=True)
        return {matcher.name: matcher for matcher in built}

    # --- distances --------------------------------------------------------------------------------------------------

    def search(self, seed: int, probe_set: str | None = None) -> Search:
        """Probes of a seed, and the gallery images that they are searched in."""
        found = self.study.search(seed, probe_set or self.probe_set)
        return found.single_shot if self.gallery == "first" else found

    def gallery_sizes(self, seed: int) -> list[tuple[int, int]]:
        """(height, width) of all gallery images, which say at what scale people are."""
        return [(image.shape[1], image.shape[2]) for image in self.study.search(seed, self.probe_set).gallery]

    def embedded(
        self, seed: int, matcher: Matcher, probe_set: str | None = None
    ) -> tuple[Sequence[Any], Sequence[Any]]:
        """What a matcher makes of the probes and of the gallery images of a seed."""
        search, progress = self.search(seed, probe_set), self.study.progress
        probes = matcher.embed(search.probes, role="probe", progress=progress)
        return probes, matcher.embed(search.gallery, progress=progress)

    def distances(self, seed: int, variant: str, key: str, matcher: Matcher, probe_set: str | None = None) -> Tensor:
        """(P, G) distances by a matcher on a variant's network, kept under a key of this network's. Computed on the
        study's device."""

        def compute() -> Tensor:
            checkpoint = self.checkpoint(seed, variant)
            home = checkpoint.device
            if self.study.device is not None:
                checkpoint.to(self.study.device)
            try:
                return matcher.distances(*self.embedded(seed, matcher, probe_set), progress=self.study.progress)
            finally:
                checkpoint.to(home)

        return self.kept(seed, variant, key, compute)

    def kept(self, seed: int, variant: str, key: str, compute: Callable[[], Tensor]) -> Tensor:
        """A tensor under a key of a variant's network, computed unless it has been before."""
        self.checkpoint(seed, variant)  # comes first, because a network that is trained anew has no old distances
        return self.study.distances(seed, label_of(variant), key, compute)

    # --- results ----------------------------------------------------------------------------------------------------

    def ranked(
        self, distances: Callable[[int], Tensor], *, shots: int | None = None, probe_set: str | None = None
    ) -> list[RankingResult]:
        """One ranking per seed.

        Args:
            distances: takes a seed and returns (P, G) distances to the images of the gallery, or (P, people) to people
                in the order of their numbers.
            shots: how many images of each person are searched, the first ones. A person's distance is their mean. None
                ranks every image of the gallery by itself.
            probe_set: the probes that the distances belong to.
        """
        results = []
        for seed in self.study.seeds:
            search, found = self.search(seed, probe_set), distances(seed)
            if found.shape[1] == len(search.people):
                results.append(evaluate_ranking(found, search.probe_pids, search.people))
            elif shots is None:
                results.append(evaluate_ranking(found, search.probe_pids, search.gallery_pids))
            elif shots == 1:
                results.append(evaluate_ranking(found[:, search.first_of_each], search.probe_pids, search.people))
            else:
                pids = search.probe_pids, search.gallery_pids
                results.append(evaluate_multi_shot(found, *pids, shots=shots, repeats=1))
        return results

    def verified(
        self, distances: Callable[[int], Tensor], *, shots: int = 1, probe_set: str | None = None
    ) -> list[VerificationResult]:
        """All pairs of probes and people, one result per seed. Arguments are those of :meth:`ranked`."""
        results = []
        for seed in self.study.seeds:
            search, found = self.search(seed, probe_set), distances(seed)
            if found.shape[1] != len(search.people):
                found = mean_of_people(found, search, shots)
            results.append(evaluate_verification(found, search.probe_pids, search.people))
        return results


def label_of(variant: str) -> str:
    """The name of the folder in which a study keeps a variant's network.

    Example:
        >>> label_of("G + D")
        'G+D'
    """
    return variant.replace(" ", "")


def mean_of_people(distances: Tensor, search: Search, shots: int) -> Tensor:
    """(P, people) means of (P, G) distances over the first `shots` gallery images of each person."""
    chosen = [np.flatnonzero(search.gallery_pids == pid)[:shots].tolist() for pid in search.people]
    return torch.stack([distances[:, images].mean(1) for images in chosen], dim=1)
