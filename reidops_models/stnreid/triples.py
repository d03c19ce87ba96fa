"""What the STN module trains on: a holistic image, a partial one, and, where it is known, the part that it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

import reidops
from reidops_models.boxes import compose, relative
from reidops_models.data import Sample
from reidops_models.data.synthetic import Annotation, load_annotations
from reidops_models.data.synthetic.annotations import ANNOTATIONS_FILE
from reidops_models.stnreid.recipe import StnreidRecipe
from reidops_models.training.augment import CROPPED
from reidops_models.training.data import ReidDataModule, TrainingError, TrainingImages


class Triples(NamedTuple):
    """holistic and partial (B, 3, H, W) in [0, 1]; labels (B,) of both; boxes (B, 4), the part of the holistic images
    that the partial ones show, None where that is not known."""

    holistic: Tensor
    partial: Tensor
    labels: Tensor
    boxes: Tensor | None


class TripleDataModule(ReidDataModule):
    """Batches of :class:`Triples`, the partial image cut from the holistic one (sec. 4).

    Images are augmented, then cut: the partial image is part of the very image that the STN module sees.
    """

    def prepare(self, batch: Any) -> Any:
        """Augment, cut, and resize what is left to the images' size."""
        images, labels = batch
        holistic = self.augmented(images)
        boxes = draw_crops(len(holistic), device=holistic.device)
        return Triples(holistic, cut(holistic, boxes), labels, boxes)


class OtherImage(Dataset[Any]):
    """Ordered pairs of two images of one identity: every image with every other. Loaders fetch whole batches."""

    def __init__(self, images: TrainingImages) -> None:
        self.images = images
        order = torch.arange(len(images))
        pairs = [
            torch.cartesian_prod(alike, alike)
            for alike in (order[images.labels == n] for n in range(images.identities))
        ]
        both = torch.cat(pairs)
        self.pairs = both[both[:, 0] != both[:, 1]]
        if not len(self.pairs):
            raise TrainingError("stn.holistic: no identity has another training image to cut the partial one from")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(value[0] for value in self.__getitems__([index]))

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        first, second = self.pairs[indices].unbind(dim=1)
        holistic, labels = self.images.__getitems__(first.tolist())
        return holistic, self.images.__getitems__(second.tolist())[0], labels, first, second


class CrossTripleDataModule(ReidDataModule):
    """Batches of :class:`Triples`, the partial image cut from another image of the person: ours, not the paper's.

    Both images are augmented, each by itself. Which part of the one the other shows follows from the person frames
    that drawn people come with (`reidops_models.data.synthetic.Annotation`), where there are any.
    """

    def __init__(self, images: TrainingImages, recipe: StnreidRecipe) -> None:
        super().__init__(images, recipe)
        self.examples = OtherImage(images)
        self.frames = read_frames(images.samples)

    def prepare(self, batch: Any) -> Any:
        """Augment both, cut one, and find what is left in the other."""
        holistic, whole, labels, first, second = batch
        crops = draw_crops(len(whole), device=whole.device)
        boxes = None
        if self.frames is not None:
            frames = self.frames.to(whole.device)
            boxes = compose(frames[first], relative(crops, frames[second]))
        return Triples(self.augmented(holistic), cut(self.augmented(whole), crops), labels, boxes)


def draw_crops(count: int, *, device: torch.device | None = None) -> Tensor:
    """Draw what is left of images from which 20 to 60 % are cut off at one of the four sides, sec. 4.

    Returns:
        Boxes (count, 4) in [0, 1]: left, top, right, bottom. They are drawn from torch's global generator.
    """
    gone = torch.empty(count, device=device).uniform_(*CROPPED)
    side = torch.randint(4, (count,), device=device)
    boxes = torch.tensor([0.0, 0.0, 1.0, 1.0], device=device).repeat(count, 1)
    # Cutting at the left or top moves the box's first corner, at the right or bottom its second.
    moved = torch.where(side < 2, gone, 1 - gone)
    return boxes.scatter(1, side[:, None], moved[:, None])


def cut(images: Tensor, boxes: Tensor) -> Tensor:
    """The parts of images (B, 3, H, W) inside boxes (B, 4), resized to the images' size."""
    height, width = images.shape[-2:]
    return reidops.affine_sample(images, reidops.boxes_to_theta(boxes), (height, width), padding_mode="border")


def read_frames(samples: Sequence[Sample]) -> Tensor | None:
    """The person frames (N, 4) of images in a drawn benchmark; None where one of them has none."""
    known: dict[Path, Mapping[str, Annotation]] = {}
    frames = []
    for sample in samples:
        root = sample.path.parent.parent
        if root not in known:
            known[root] = load_annotations(root) if (root / ANNOTATIONS_FILE).is_file() else {}
        annotation = known[root].get(f"{sample.path.parent.name}/{sample.path.name}")
        if annotation is None:
            return None
        frames.append(annotation.person)
    return torch.tensor(frames)
