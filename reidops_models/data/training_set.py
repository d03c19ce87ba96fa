"""Labelled training pictures for torch's DataLoader, and the sampler that draws P identities with K pictures each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.utils.data import Dataset

from .dataset import DatasetError, Sample
from .images import read_pixels, resize_image

if TYPE_CHECKING:
    from pytorch_metric_learning.samplers import MPerClassSampler

__all__ = ["TrainingSet", "build_pk_sampler"]


class TrainingSet(Dataset[tuple[Tensor, int]]):
    """Pictures of one size with class labels 0 ... C-1.

    Args:
        samples: what to learn from, `dataset.train` as a rule.
        height, width: size in pixels to which every picture is brought.
        augmentation: called on each picture (3, H, W) each time it is drawn; None leaves pictures as they are.
        cache: keep the resized pictures in memory, as bytes. Each worker of a DataLoader has a cache of its own.

    An item is a picture, float (3, height, width) in [0, 1], and its label.

    Attributes:
        pids: identities by label, sorted.
        labels: the label of each sample.

    Raises:
        DatasetError: no samples, or one of unknown identity.
        ImageError: on drawing a picture that cannot be read.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        height: int,
        width: int,
        augmentation: Callable[[Tensor], Tensor] | None = None,
        cache: bool = False,
    ) -> None:
        if not samples:
            raise DatasetError("TrainingSet: no training pictures")
        unknown = next((sample for sample in samples if sample.pid < 0), None)
        if unknown:
            raise DatasetError(f"TrainingSet: {unknown.path} has no identity to learn from")
        self.samples = list(samples)
        self.height, self.width = height, width
        self.augmentation = augmentation
        self.pids = sorted({sample.pid for sample in samples})
        label_of = {pid: label for label, pid in enumerate(self.pids)}
        self.labels = [label_of[sample.pid] for sample in samples]
        self._cache: dict[int, Tensor] | None = {} if cache else None

    @property
    def classes(self) -> int:
        """How many identities there are."""
        return len(self.pids)

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[tuple[Tensor, int]]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = self._read(index).to(torch.float32).div_(255)
        return (self.augmentation(image) if self.augmentation else image), self.labels[index]

    def _read(self, index: int) -> Tensor:
        """The resized picture, uint8 (3, height, width)."""
        if self._cache is not None and index in self._cache:
            return self._cache[index]
        image = torch.from_numpy(read_pixels(self.samples[index].path)).permute(2, 0, 1).contiguous()
        if image.shape[-2:] != (self.height, self.width):
            image = (
                resize_image(image.to(torch.float32), self.height, self.width).round_().clamp_(0, 255).to(torch.uint8)
            )
        if self._cache is not None:
            self._cache[index] = image
        return image


def build_pk_sampler(
    labels: Sequence[int], identities: int, images: int, length: int | None = None
) -> MPerClassSampler:
    """A sampler whose batches hold P identities with K pictures each, for losses on pairs and triplets.

    A. Hermans, L. Beyer, B. Leibe, "In Defense of the Triplet Loss for Person Re-Identification", 2017. The work is
    done by pytorch-metric-learning's `MPerClassSampler`; give the DataLoader a batch size of `identities * images`.

    Args:
        labels: of all samples, such as `TrainingSet.labels`.
        identities: P, at most the number of different labels.
        images: K; an identity with fewer pictures repeats some.
        length: samples an epoch, rounded down to whole batches; as many as there are labels if None.

    Raises:
        ValueError: fewer than P identities, or an epoch shorter than a batch.
    """
    from pytorch_metric_learning.samplers import MPerClassSampler  # takes a second, and matching needs no sampler

    batch, found = identities * images, len(set(labels))
    length = len(labels) if length is None else length
    if min(identities, images) < 1 or identities > found:
        raise ValueError(
            f"build_pk_sampler: expected 1 <= identities <= {found} and images >= 1, got {identities}, {images}"
        )
    if length < batch:
        raise ValueError(f"build_pk_sampler: length must be at least identities * images = {batch}, got {length}")
    return MPerClassSampler(list(labels), m=images, batch_size=batch, length_before_new_iter=length)
