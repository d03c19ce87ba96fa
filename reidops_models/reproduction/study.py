"""Several seeds, each with its own people, cameras and initialisation, and a network for every recipe asked for."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from reidops_models.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint
from reidops_models.data import ReidDataset, Sample, load_market1501, read_image, write_synthetic
from reidops_models.data.synthetic import SIZES
from reidops_models.files import replacing
from reidops_models.paper import find_paper
from reidops_models.recipe import Recipe, load_recipe, parse_recipe

GALLERY_IMAGES = 3  # per person, for multi-shot tables
STAMP = "start.sha256"  # beside a network: the digest of what it was made from


@dataclass(frozen=True)
class Search:
    """Probes and the gallery they are searched in, in memory."""

    probes: Sequence[Tensor]
    probe_pids: np.ndarray
    gallery: Sequence[Tensor]
    gallery_pids: np.ndarray

    @cached_property
    def people(self) -> np.ndarray:
        """The person numbers of the gallery, in ascending order."""
        return np.unique(self.gallery_pids)

    @cached_property
    def first_of_each(self) -> list[int]:
        """The index of the first gallery image of each person, in the order of `people`."""
        return np.unique(self.gallery_pids, return_index=True)[1].tolist()

    @cached_property
    def single_shot(self) -> Search:
        """The same probes, searched in one gallery image per person, the first."""
        chosen = self.first_of_each
        return Search(self.probes, self.probe_pids, [self.gallery[i] for i in chosen], self.gallery_pids[chosen])


@dataclass
class Study:
    """Where trainings and distances are kept, so that another table or a second run repeats none.

    Attributes:
        folder: for `seed-N/people`, and `seed-N/LABEL` for each network.
        seeds: of people, cameras, initialisation and training, all together.
        size: of the drawn benchmark; `tiny` also trains for one epoch, and its numbers mean nothing.
        say: told what is being done.
        device: where networks are trained and matchers compare; None: trained where the recipe says, compared on the
            CPU. A network lies on the CPU in between, where figures are made of it.
    """

    folder: Path
    seeds: tuple[int, ...] = (0, 1, 2)
    size: str = "small"
    progress: bool = False
    say: Callable[[str], None] = print
    device: torch.device | None = None
    _networks: dict[tuple[str, int], Checkpoint] = field(default_factory=dict)
    _searches: dict[tuple[int, str], Search] = field(default_factory=dict)

    def people(self, seed: int) -> ReidDataset:
        """The drawn benchmark of a seed, with three gallery images per person."""
        root = self.folder / f"seed-{seed}" / "people"
        plan = replace(SIZES[self.size], gallery_images=GALLERY_IMAGES, distractors=0)
        if not root.is_dir():
            self.say(f"seed {seed}: drawing people")
        return load_market1501(write_synthetic(root, plan, seed=seed, progress=self.progress))

    def search(self, seed: int, probe_set: str) -> Search:
        """A probe set of a seed's test people, and their gallery."""
        if (seed, probe_set) not in self._searches:
            people = self.people(seed)
            self._searches[seed, probe_set] = Search(*_read(people.probes(probe_set)), *_read(people.gallery))
        return self._searches[seed, probe_set]

    def trained(
        self,
        seed: int,
        label: str,
        recipe: str,
        changes: Mapping[str, Any] | None = None,
        start: Callable[[int], Path] | None = None,
    ) -> Checkpoint:
        """The network of a recipe, trained on a seed's people unless it has been before.

        Args:
            seed: of people and training.
            label: the name of its folder.
            recipe: as :func:`load_recipe` takes it.
            changes: sections of the recipe with other values, {"fine_tuning": {"gradient": "implicit"}}; a list or
                None takes the place of the whole section.
            start: gives the checkpoint that a fine-tuning starts from.
        """
        if (label, seed) not in self._networks:
            self._networks[label, seed] = self._trained(seed, label, self._recipe(recipe, seed, changes or {}), start)
        return self._networks[label, seed]

    def derived(self, seed: int, label: str, sources: Sequence[Path], build: Callable[[], Checkpoint]) -> Checkpoint:
        """A network made from trained ones, whose files `sources` are, unless it has been made from these before."""
        if (label, seed) not in self._networks:
            weights, digest = self.checkpoint(seed, label), _digest(sources)
            kept = _load_kept(weights, digest)
            if kept is None:
                shutil.rmtree(weights.parent, ignore_errors=True)
                save_checkpoint(weights, build())
                weights.with_name(STAMP).write_text(digest)
                kept = load_checkpoint(weights)
            self._networks[label, seed] = kept
        return self._networks[label, seed]

    def checkpoint(self, seed: int, label: str) -> Path:
        """Where :meth:`trained` and :meth:`derived` keep a network."""
        return self.folder / f"seed-{seed}" / label / "model.safetensors"

    def distances(self, seed: int, label: str, key: str, compute: Callable[[], Tensor]) -> Tensor:
        """Distances under a key of a network's own, computed unless they have been before."""
        path = self.checkpoint(seed, label).with_name("distances") / f"{_file_name(key)}.safetensors"
        if not path.is_file():
            start = time.monotonic()
            found = compute()
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as unfinished:
                save_file({"distances": found.contiguous()}, unfinished)
            self.say(f"seed {seed}, {label}: {key} ({time.monotonic() - start:.0f} s)")
        return load_file(path)["distances"]

    def _recipe(self, name: str, seed: int, changes: Mapping[str, Any]) -> Recipe:
        values = load_recipe(name).model_dump(mode="json")
        for section, options in changes.items():
            values[section] = {**(values.get(section) or {}), **options} if isinstance(options, dict) else options
        values["training"]["seed"] = seed
        values["validation"]["every"] = 0  # a study takes the last network, so that seeds are treated alike
        if self.size == "tiny":
            values = find_paper(values["model"]).tiny(values)
        return parse_recipe(values, origin=name)

    def _trained(self, seed: int, label: str, recipe: Recipe, start: Callable[[int], Path] | None) -> Checkpoint:
        weights = self.checkpoint(seed, label)
        source = start(seed) if start else None
        digest = _digest([source] if source else [])
        kept = _load_kept(weights, digest)
        if kept is not None and kept.recipe == recipe:
            return kept
        shutil.rmtree(weights.parent, ignore_errors=True)  # with the distances of another network
        from reidops_models.training.run import train

        self.say(f"seed {seed}: training {label}")
        begun = time.monotonic()
        train(recipe, self.people(seed), weights.parent, start=source, progress=self.progress, device=self.device)
        weights.with_name(STAMP).write_text(digest)
        self.say(f"seed {seed}: trained {label} ({time.monotonic() - begun:.0f} s)")
        return load_checkpoint(weights)


def _read(samples: Sequence[Sample]) -> tuple[list[Tensor], np.ndarray]:
    return [read_image(sample.path) for sample in samples], np.array([sample.pid for sample in samples])


def _digest(sources: Sequence[Path]) -> str:
    """What a network was made from; empty where it started from nothing."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest() if sources else ""


def _load_kept(weights: Path, digest: str) -> Checkpoint | None:
    """A network that is there and was made from these sources."""
    try:
        kept = load_checkpoint(weights)
        return kept if weights.with_name(STAMP).read_text() == digest else None
    except (CheckpointError, OSError):
        return None


def _file_name(key: str) -> str:
    return "".join(c if c.isalnum() or c in "-+.,=" else "_" for c in key)


def generator(*seed: int) -> torch.Generator:
    """A generator of random numbers of its own for each combination of seeds."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
