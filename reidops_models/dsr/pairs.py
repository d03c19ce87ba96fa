"""Pairs to fine-tune on, sec. 4.1: a holistic image and an arbitrary patch of another, at the same scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from reidops_models.data import UNKNOWN, Sample
from reidops_models.dsr.recipe import DsrRecipe, FineTuning
from reidops_models.training.data import ReidDataModule, TrainingError, TrainingImages, derived_seed


class Pair(NamedTuple):
    """Two images by their place in the training split; alpha is 1 if they show one identity, otherwise -1."""

    holistic: int
    patch: int
    alpha: int


class DsrPairBatch(NamedTuple):
    """holistic (B, 3, H, W); patches (B, 3, h, w), before they are cut (B, 3, H, W); the holistic images' labels
    (B,); alpha (B,)."""

    holistic: Tensor
    patches: Tensor
    labels: Tensor
    alpha: Tensor


def draw_pairs(samples: Sequence[Sample], options: FineTuning, seed: int) -> list[Pair]:
    """The pairs of a training: positives, then negatives, drawn independently of each other.

    A positive pair is two images of one identity, by two cameras where the identity has been seen by two. A
    negative pair is two images of two identities. The first image is drawn among all that have such a second, the
    second among all that fit the first; a pair may come twice.

    Args:
        samples: the training split.
        options: how many pairs.
        seed: of the draw.

    Raises:
        TrainingError: no identity has two images, or there is one identity only.

    Example:
        >>> from pathlib import Path
        >>> samples = [Sample(Path(f"{i}.png"), pid=i // 2, camid=i % 2) for i in range(4)]
        >>> pairs = draw_pairs(samples, FineTuning(positive_pairs=1, negative_pairs=2), seed=0)
        >>> [samples[pair.holistic].pid == samples[pair.patch].pid for pair in pairs]
        [True, False, False]
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, 0))
    pids = torch.tensor([sample.pid for sample in samples])
    cameras = torch.tensor([sample.camid for sample in samples])
    everything = torch.arange(len(samples))

    def choose(candidates: Tensor) -> int:
        return int(candidates[torch.randint(len(candidates), (), generator=generator)])

    def of_the_same_person(index: int) -> Tensor:
        others = everything[(pids == pids[index]) & (everything != index)]
        known = (cameras[others] != UNKNOWN) & (cameras[index] != UNKNOWN)
        elsewhere = others[known & (cameras[others] != cameras[index])]
        return elsewhere if len(elsewhere) else others

    _, identity, images = pids.unique(return_inverse=True, return_counts=True)
    repeated = everything[images[identity] > 1]
    if not len(repeated):
        raise TrainingError("fine_tuning: no identity has two training images to make a positive pair of")
    if len(images) < 2:
        raise TrainingError("fine_tuning: all training images show one identity, there is no negative pair")
    pairs = []
    for _ in range(options.positive_pairs):
        holistic = choose(repeated)
        pairs.append(Pair(holistic, choose(of_the_same_person(holistic)), alpha=1))
    for _ in range(options.negative_pairs):
        holistic = choose(everything)
        pairs.append(Pair(holistic, choose(everything[pids != pids[holistic]]), alpha=-1))
    return pairs


class PairImages(Dataset[DsrPairBatch]):
    """The pairs of a training as images: both images whole and of the training size, so that they share one scale.

    A loader fetches whole batches at once (`__getitems__`).
    """

    def __init__(self, images: TrainingImages, pairs: Sequence[Pair]) -> None:
        self.images = images
        self.pairs = torch.tensor(pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> DsrPairBatch:
        return DsrPairBatch(*(value[0] for value in self.__getitems__([index])))

    def __getitems__(self, indices: list[int]) -> DsrPairBatch:
        holistic, patches, alpha = self.pairs[indices].unbind(dim=1)
        images, labels = self.images.__getitems__(holistic.tolist())
        return DsrPairBatch(images, self.images.__getitems__(patches.tolist())[0], labels, alpha)


class DsrPairDataModule(ReidDataModule):
    """Batches of pairs, :class:`DsrPairBatch`, images float in [0, 1].

    The images of a pair are augmented independently. Then the patch is cut, never resized. The patches of a batch
    have one size, so that they pass the network together, and a position each.

    Raises:
        TrainingError: there are no such pairs.
    """

    def __init__(self, images: TrainingImages, recipe: DsrRecipe) -> None:
        super().__init__(images, recipe)
        assert recipe.fine_tuning is not None
        self.options = recipe.fine_tuning
        self.examples = PairImages(images, draw_pairs(images.samples, self.options, recipe.training.seed))

    def prepare(self, batch: DsrPairBatch) -> DsrPairBatch:
        """Augment both sides and cut the patches."""
        holistic, whole = self.augmented(batch.holistic), self.augmented(batch.patches)
        return batch._replace(holistic=holistic, patches=cut_patches(whole, self.options))


def cut_patches(images: Tensor, options: FineTuning) -> Tensor:
    """One patch of each image: all of one size, each at its own place. Drawn from torch's global CPU generator.

    Args:
        images: (B, 3, H, W).
        options: `patch_height` and `patch_width`, between which shares of the image the patch's sides are drawn.

    Returns:
        (B, 3, h, w) in channels-last order.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> cut_patches(torch.rand(4, 3, 128, 64), FineTuning(patch_height=(0.5, 0.5), patch_width=(1, 1))).shape
        torch.Size([4, 3, 64, 64])
    """
    count, _, height, width = images.shape
    random = torch.rand(2)
    (shortest, tallest), (narrowest, widest) = options.patch_height, options.patch_width
    tall = max(1, round(height * (shortest + (tallest - shortest) * random[0].item())))
    wide = max(1, round(width * (narrowest + (widest - narrowest) * random[1].item())))
    tops = torch.randint(height - tall + 1, (count,)).tolist()
    lefts = torch.randint(width - wide + 1, (count,)).tolist()
    cut = [image[:, top : top + tall, left : left + wide] for image, top, left in zip(images, tops, lefts, strict=True)]
    return torch.stack(cut).contiguous(memory_format=torch.channels_last)
