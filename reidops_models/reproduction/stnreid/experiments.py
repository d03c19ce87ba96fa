"""The networks and distances behind the tables: each is made once, whichever tables need it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import reidops
from reidops_models.boxes import box_iou, compose, relative, sampled_boxes
from reidops_models.checkpoint import Checkpoint
from reidops_models.data import resize_image
from reidops_models.data.synthetic import load_annotations
from reidops_models.evaluation import RankingResult, evaluate_ranking
from reidops_models.reproduction import Study
from reidops_models.stnreid.matcher import ReconstructionMatcher, ReidMatcher, StnMatcher, distance
from reidops_models.stnreid.merge import merge
from reidops_models.stnreid.network import StnreidNetwork
from reidops_models.stnreid.one_to_many import affined_features
from reidops_models.stnreid.triples import read_frames

PARTIAL = "partial_query"
OTHER_PEOPLE = 1000  # seed of the people whom the pre-trained network has seen: it stands for ImageNet

# The settings of table 2: pre-trained weights, label smoothing, triplet loss. L_ID is in all of them.
SETTINGS = {
    "Ep1": (False, False, False),
    "Ep2": (True, False, False),
    "Ep3": (True, True, False),
    "Ep4": (True, False, True),
    "Ep5": (True, True, True),
}
LABEL_SMOOTHING = 0.1
TRIPLET_WEIGHT = 0.2  # recipes/demo_strong.yaml says why

WHOLE, STRONG = "whole", "strong"  # ReID modules, trained without an STN module

# How an STN module may be taught: label, title, and what it is.
LOCALISERS = {
    "Ep1": ("eq. 6", "end to end, L_STN with weight 0.02: Ep1 of table 2"),
    "unweighted": ("eq. 6, unweighted", "the same with weight 1, as printed"),
    "features": ("eq. 5", "L_STN alone, the ReID module of whole images frozen"),
    "features-long": ("eq. 5, longer", "the same, three times as long"),
    "features-two": ("eq. 5, two pictures", "eq. 5, the partial image cut from another picture of the person"),
    "boxes": ("boxes", "ours: the true theta, the partial image cut from the holistic one"),
    "boxes-two": ("boxes, two pictures", "ours: the true theta, the partial image cut from another picture"),
}
IDENTITY = torch.eye(2, 3)
ONE_PICTURE = {"batches": {"size": 16}, "stn": {"holistic": "same"}, "training": {"epochs": 16}}
TWO_PICTURES = {"images": {"flip": 0.0, "shift": 0.0}, "stn": {"holistic": "other"}, "training": {"epochs": 1}}


class Experiments:
    """Networks, thetas and distances of a study's seeds; one gallery picture a person."""

    def __init__(self, study: Study) -> None:
        self.study = study

    # --- networks ---------------------------------------------------------------------------------------------------

    def network(self, seed: int, label: str) -> Checkpoint:
        """A network by its label.

        `Ep1` to `Ep5`, a ReID module (`whole`, `strong`), one of `LOCALISERS`; `strong+Ep1`, a ReID module merged with
        an STN module; `PM+Ep1`, the strong ReID module trained on with that STN module.
        """
        reid, _, stn = label.partition("+")
        if reid == "PM":
            return self.study.trained(seed, label, "stnreid/demo_pipeline", start=self._saved(f"{STRONG}+{stn}"))
        if stn:
            return self._merged(seed, reid, stn)
        recipe, changes, start = self._recipe(label)
        return self.study.trained(seed, label, f"stnreid/{recipe}", changes, start=start)

    def module(self, seed: int, label: str) -> StnreidNetwork:
        """The network itself."""
        network = self.network(seed, label).network
        assert isinstance(network, StnreidNetwork)
        return network

    def _recipe(self, label: str) -> tuple[str, dict[str, Any], Callable[[int], Path] | None]:
        if label in SETTINGS:
            pre_trained, smoothed, triplet = SETTINGS[label]
            losses = [{"name": "cross_entropy", "label_smoothing": LABEL_SMOOTHING if smoothed else 0.0}]
            losses += [{"name": "triplet", "weight": TRIPLET_WEIGHT}] if triplet else []
            return "demo_stage1", {"losses": losses}, self._pre_trained if pre_trained else None
        recipes: dict[str, tuple[str, dict[str, Any], Callable[[int], Path] | None]] = {
            WHOLE: ("demo_reid", {}, None),
            STRONG: ("demo_strong", {}, self._pre_trained),
            "unweighted": ("demo_stage1", {"stn": {"weight": 1.0}}, None),
            "features": ("demo_features", {}, self._saved(WHOLE)),
            "features-long": ("demo_features", {"training": {"epochs": 48}}, self._saved(WHOLE)),
            "features-two": ("demo_features", TWO_PICTURES, self._saved(WHOLE)),
            "boxes": ("demo_boxes", ONE_PICTURE, None),
            "boxes-two": ("demo_boxes", {}, None),
        }
        return recipes[label]

    def _pre_trained(self, seed: int) -> Path:
        """Of other people, and the same for every seed."""
        return self._saved(WHOLE)(OTHER_PEOPLE)

    def _saved(self, label: str) -> Callable[[int], Path]:
        """Gives a network's file, for whatever starts from it."""

        def start(seed: int) -> Path:
            self.network(seed, label)
            return self.study.checkpoint(seed, label)

        return start

    def _merged(self, seed: int, reid: str, stn: str) -> Checkpoint:
        parts = [self.network(seed, name) for name in (stn, reid)]
        sources = [self.study.checkpoint(seed, name) for name in (stn, reid)]
        return self.study.derived(seed, f"{reid}+{stn}", sources, lambda: merge(*parts))

    # --- where ------------------------------------------------------------------------------------------------------

    def true_boxes(self, seed: int) -> Tensor:
        """(P, people, 4) the part of each gallery image that shows what the probe shows of its own person.

        Equal positions in two person frames are equal parts of the body (`Annotation`).
        """
        people, first = self.study.people(seed), self.study.search(seed, PARTIAL).first_of_each
        probes = read_frames(people.probes(PARTIAL))
        gallery = read_frames([people.gallery[i] for i in first])
        assert probes is not None
        assert gallery is not None
        whole = torch.tensor([0.0, 0.0, 1.0, 1.0])
        return compose(gallery, relative(whole, probes)[:, None])

    def overlap_across(self, seed: int, label: str | None = None) -> float:
        """Mean IoU of what an STN module samples of a probe's own person's gallery picture with the true box.

        Without a label, of the whole picture.
        """
        search = self.study.search(seed, PARTIAL)
        own = torch.tensor(search.probe_pids)[:, None] == torch.tensor(search.gallery_pids[search.first_of_each])
        theta = IDENTITY if label is None else self._thetas(seed, label)[own]
        return float(box_iou(sampled_boxes(theta), self.true_boxes(seed)[own], clip=True).mean())

    def overlap_within(self, seed: int, label: str | None = None) -> float:
        """As :meth:`overlap_across`, each probe with the very picture that it was cut from."""
        people = self.study.people(seed)
        probes, whole = people.probes(PARTIAL), self.study.search(seed, "query").probes
        known = load_annotations(people.root)
        crops = [known[f"{PARTIAL}/{sample.path.name}"].crop for sample in probes]
        theta = IDENTITY if label is None else self._thetas_within(seed, label, whole)
        return float(box_iou(sampled_boxes(theta), torch.tensor(crops), clip=True).mean())

    def _thetas(self, seed: int, label: str) -> Tensor:
        """(P, G, 2, 3) of all pairs."""
        matcher = StnMatcher(self.module(seed, label))
        return self.study.distances(
            seed, label, "thetas", lambda: matcher.thetas(*self._sides(seed, matcher), progress=self.study.progress)
        )

    def _thetas_within(self, seed: int, label: str, whole: Sequence[Tensor]) -> Tensor:
        """(P, 2, 3) of each probe and the picture that it was cut from."""
        network = self.module(seed, label)

        def compute() -> Tensor:
            pairs = zip(whole, self.study.search(seed, PARTIAL).probes, strict=True)
            both = torch.stack(
                [torch.stack([resize_image(image, *network.image_size) for image in pair]) for pair in pairs]
            )
            with torch.inference_mode():
                return torch.cat([network.locate(part[:, 0], part[:, 1]) for part in both.split(64)])

        return self.study.distances(seed, label, "thetas within", compute)

    # --- distances --------------------------------------------------------------------------------------------------

    def alone(self, seed: int, label: str) -> Tensor:
        """(P, people) distances without the STN module."""
        matcher = ReidMatcher(self.module(seed, label))
        return self.study.distances(seed, label, "alone", lambda: matcher.distances(*self._sides(seed, matcher)))

    def with_stn(self, seed: int, label: str) -> Tensor:
        """(P, people) distances of STNReID."""
        matcher = StnMatcher(self.module(seed, label))
        return self.study.distances(seed, label, "STNReID", lambda: matcher.distances(*self._sides(seed, matcher)))

    def with_true_boxes(self, seed: int, label: str) -> Tensor:
        """(P, people) distances if the STN module found the true box in every gallery image, right or wrong."""

        def compute() -> Tensor:
            network = self.module(seed, label)
            probes, gallery = self._sides(seed, StnMatcher(network))
            images = torch.stack([one.image for one in gallery])
            rows = []
            for probe, boxes in zip(probes, self.true_boxes(seed), strict=True):
                affined = affined_features(network, images, reidops.boxes_to_theta(boxes)[None])
                rows.append(distance(probe.feature, affined[0], "euclidean"))
            return torch.stack(rows)

        return self.study.distances(seed, label, "true boxes", compute)

    def reconstructed(self, seed: int, label: str) -> Tensor:
        """(P, people) distances of DSR on the ReID module."""
        matcher = ReconstructionMatcher(self.module(seed, label))
        return self.study.distances(seed, label, "DSR", lambda: matcher.distances(*self._sides(seed, matcher)))

    def ranked(self, distances: Callable[[int], Tensor]) -> list[RankingResult]:
        """A ranking for each seed."""
        results = []
        for seed in self.study.seeds:
            search = self.study.search(seed, PARTIAL)
            people = search.gallery_pids[search.first_of_each]
            results.append(evaluate_ranking(distances(seed), search.probe_pids, people))
        return results

    def _sides(self, seed: int, matcher: Any) -> tuple[Any, Any]:
        search = self.study.search(seed, PARTIAL)
        gallery = [search.gallery[i] for i in search.first_of_each]
        return matcher.embed(search.probes, role="probe"), matcher.embed(gallery)
