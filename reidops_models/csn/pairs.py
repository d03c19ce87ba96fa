"""What CSN trains on, sec. 4.2: pairs of one person's images, and two negative pairs for each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from reidops_models.csn.recipe import CsnRecipe
from reidops_models.training.data import ReidDataModule, TrainingError, TrainingImages


class CsnPairBatch(NamedTuple):
    """images (2 B, 3, H, W) in [0, 1]; pairs (N, 2), indices of images; matched (N,), whether they show one person."""

    images: Tensor
    pairs: Tensor
    matched: Tensor


class PositivePairs(Dataset[Any]):
    """Every two images of one person, of two cameras where there are two, `copies` times each.

    Loaders fetch whole batches.

    Raises:
        TrainingError: nobody has two images, or there is only one person.
    """

    def __init__(self, images: TrainingImages, *, across_cameras: bool, copies: int = 1) -> None:
        self.images = images
        cameras = np.array([sample.camid for sample in images.samples])
        labels = images.labels.numpy()
        found = [_pairs(np.flatnonzero(labels == label), cameras, across_cameras) for label in np.unique(labels)]
        self.pairs = torch.from_numpy(np.concatenate(found)).repeat(copies, 1)
        if not len(self.pairs) or images.identities < 2:
            raise TrainingError("pairs: expected two people or more, and two images of one; there are none")

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return tuple(value[0] for value in self.__getitems__([index]))

    def __getitems__(self, indices: list[int]) -> tuple[Tensor, ...]:
        one, other = (side.tolist() for side in self.pairs[indices].unbind(dim=1))
        images, labels = self.images.__getitems__(one)
        return images, self.images.__getitems__(other)[0], labels


class CsnPairDataModule(ReidDataModule):
    """Batches of :class:`CsnPairBatch`.

    The negative pairs of a positive one take its first image, and the second of others in the batch, at random: so
    a batch has three times as many pairs as positive ones, and each image passes the trunk once.
    """

    def __init__(self, images: TrainingImages, recipe: CsnRecipe) -> None:
        super().__init__(images, recipe)
        self.negatives = recipe.pairs.negatives
        options = recipe.pairs
        self.examples = PositivePairs(images, across_cameras=options.across_cameras, copies=options.copies)
        self.batch_size = max(2, recipe.batches.size // (1 + self.negatives))

    def prepare(self, batch: Any) -> Any:
        """Augment every image by itself, turn a pair around in half of the cases, draw the negative pairs."""
        one, other, labels = batch
        images = self.augmented(torch.cat((one, other)))
        pairs, matched = positive_and_negative_pairs(labels, self.negatives)
        turned = torch.rand(len(pairs), device=pairs.device) < 0.5
        return CsnPairBatch(images, torch.where(turned[:, None], pairs.flip(1), pairs), matched)


def positive_and_negative_pairs(labels: Tensor, negatives: int) -> tuple[Tensor, Tensor]:
    """Pairs (N, 2) of 2 B images, the i-th and the (B + i)-th of which show labels (B,), and whether they match.

    First the B positive pairs; then, for each of them that meets another label, `negatives` of image i and another
    label's B + j.
    """
    count = len(labels)
    order = torch.arange(count, device=labels.device)
    positive = torch.stack((order, count + order), dim=1)
    others = (labels[:, None] != labels).float()
    some = others.any(dim=1)
    if not some.any():
        return positive, torch.ones(count, dtype=torch.bool, device=labels.device)
    drawn = torch.multinomial(others[some], negatives, replacement=True)
    first = order[some, None].expand_as(drawn)
    negative = torch.stack((first, count + drawn), dim=2).flatten(0, 1)
    matched = torch.arange(count + len(negative), device=labels.device) < count
    return torch.cat((positive, negative)), matched


def _pairs(images: np.ndarray, cameras: np.ndarray, across_cameras: bool) -> np.ndarray:
    """(N, 2) of one person's images."""
    one, other = np.triu_indices(len(images), k=1)
    pairs = np.stack((images[one], images[other]), axis=1)
    different = cameras[pairs[:, 0]] != cameras[pairs[:, 1]]
    return pairs[different] if across_cameras and different.any() else pairs
