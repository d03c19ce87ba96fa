"""The networks behind the tables, where the true boxes are, and what the STN modules find."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

import reidops
from reidops_models.boxes import box_iou, compose, relative, sampled_boxes
from reidops_models.data import resize_image
from reidops_models.data.synthetic import load_annotations
from reidops_models.reproduction import Merged, Runs, Study, Variant
from reidops_models.stnreid.all_pairs import affined_features
from reidops_models.stnreid.matcher import ReconstructionMatcher, ReidMatcher, StnMatcher, distance
from reidops_models.stnreid.merge import merge
from reidops_models.stnreid.network import StnreidNetwork
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

# How an STN module may be taught: its variant, a title, and what it is.
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


def _setting(pre_trained: bool, smoothed: bool, triplet: bool) -> Variant:
    losses = [{"name": "cross_entropy", "label_smoothing": LABEL_SMOOTHING if smoothed else 0.0}]
    losses += [{"name": "triplet", "weight": TRIPLET_WEIGHT}] if triplet else []
    start, start_seed = (WHOLE, OTHER_PEOPLE) if pre_trained else (None, None)
    return Variant("stnreid/demo_stage1", {"losses": losses}, start, start_seed)


# `strong+Ep1` is a ReID module merged with an STN module; `PM+Ep1` is the strong ReID module, trained on with it.
VARIANTS: dict[str, Variant | Merged] = {
    **{name: _setting(*options) for name, options in SETTINGS.items()},
    WHOLE: Variant("stnreid/demo_reid"),
    STRONG: Variant("stnreid/demo_strong", start=WHOLE, start_seed=OTHER_PEOPLE),
    "unweighted": Variant("stnreid/demo_stage1", {"stn": {"weight": 1.0}}),
    "features": Variant("stnreid/demo_features", start=WHOLE),
    "features-long": Variant("stnreid/demo_features", {"training": {"epochs": 48}}, start=WHOLE),
    "features-two": Variant("stnreid/demo_features", TWO_PICTURES, start=WHOLE),
    "boxes": Variant("stnreid/demo_boxes", ONE_PICTURE),
    "boxes-two": Variant("stnreid/demo_boxes"),
    **{f"{reid}+{stn}": Merged((stn, reid), merge) for reid in (WHOLE, STRONG) for stn in LOCALISERS},
    **{f"PM+{stn}": Variant("stnreid/demo_pipeline", start=f"{STRONG}+{stn}") for stn in ("Ep1", "boxes-two")},
}


class StnreidRuns(Runs):
    """Partial probes, and one gallery image per person."""

    def __init__(self, study: Study) -> None:
        super().__init__(study, VARIANTS, gallery="first", probe_set=PARTIAL)

    # --- where ------------------------------------------------------------------------------------------------------

    def true_boxes(self, seed: int) -> Tensor:
        """(P, people, 4): the part of each gallery image that shows what the probe shows of its own person.

        Equal positions in two person frames are equal parts of the body (`Annotation`).
        """
        people, first = self.study.people(seed), self.study.search(seed, PARTIAL).first_of_each
        probes = read_frames(people.probes(PARTIAL))
        gallery = read_frames([people.gallery[i] for i in first])
        assert probes is not None
        assert gallery is not None
        whole = torch.tensor([0.0, 0.0, 1.0, 1.0])
        return compose(gallery, relative(whole, probes)[:, None])

    def overlap_across(self, seed: int, variant: str | None = None) -> float:
        """Mean IoU of the true box with what an STN module samples of the gallery image of the probe's own person.

        Without a variant, theta is the identity, which samples the whole image.
        """
        search = self.search(seed)
        own = torch.tensor(search.probe_pids)[:, None] == torch.tensor(search.gallery_pids)
        theta = IDENTITY if variant is None else self._thetas(seed, variant)[own]
        return float(box_iou(sampled_boxes(theta), self.true_boxes(seed)[own], clip=True).mean())

    def overlap_within(self, seed: int, variant: str | None = None) -> float:
        """The same as :meth:`overlap_across`, but with the very image that the probe was cut from."""
        people = self.study.people(seed)
        probes, whole = people.probes(PARTIAL), self.study.search(seed, "query").probes
        known = load_annotations(people.root)
        crops = [known[f"{PARTIAL}/{sample.path.name}"].crop for sample in probes]
        theta = IDENTITY if variant is None else self._thetas_within(seed, variant, whole)
        return float(box_iou(sampled_boxes(theta), torch.tensor(crops), clip=True).mean())

    def _thetas(self, seed: int, variant: str) -> Tensor:
        """(P, G, 2, 3) of all pairs."""
        matcher = StnMatcher(self.network(seed, variant))

        def compute() -> Tensor:
            return matcher.thetas(*self.embedded(seed, matcher), progress=self.study.progress)

        return self.kept(seed, variant, "thetas", compute)

    def _thetas_within(self, seed: int, variant: str, whole: Sequence[Tensor]) -> Tensor:
        """(P, 2, 3) of each probe and the image that it was cut from."""
        network: StnreidNetwork = self.network(seed, variant)

        def compute() -> Tensor:
            pairs = zip(whole, self.study.search(seed, PARTIAL).probes, strict=True)
            both = torch.stack(
                [torch.stack([resize_image(image, *network.image_size) for image in pair]) for pair in pairs]
            )
            with torch.inference_mode():
                return torch.cat([network.locate(part[:, 0], part[:, 1]) for part in both.split(64)])

        return self.kept(seed, variant, "thetas within", compute)

    # --- distances --------------------------------------------------------------------------------------------------

    def alone(self, seed: int, variant: str) -> Tensor:
        """(P, people) distances without the STN module."""
        return self.distances(seed, variant, "alone", ReidMatcher(self.network(seed, variant)))

    def with_stn(self, seed: int, variant: str) -> Tensor:
        """(P, people) distances by STNReID."""
        return self.distances(seed, variant, "STNReID", StnMatcher(self.network(seed, variant)))

    def with_true_boxes(self, seed: int, variant: str) -> Tensor:
        """(P, people) distances if the STN module found the true box in every gallery image, right or wrong."""

        def compute() -> Tensor:
            network: StnreidNetwork = self.network(seed, variant)
            probes, gallery = self.embedded(seed, StnMatcher(network))
            images = torch.stack([one.image for one in gallery])
            rows = []
            for probe, boxes in zip(probes, self.true_boxes(seed), strict=True):
                affined = affined_features(network, images, reidops.boxes_to_theta(boxes)[None])
                rows.append(distance(probe.feature, affined[0], "euclidean"))
            return torch.stack(rows)

        return self.kept(seed, variant, "true boxes", compute)

    def reconstructed(self, seed: int, variant: str) -> Tensor:
        """(P, people) distances by DSR on the ReID module."""
        return self.distances(seed, variant, "DSR", ReconstructionMatcher(self.network(seed, variant)))
