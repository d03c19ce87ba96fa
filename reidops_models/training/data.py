"""Training images: decoded, resized, sampled by identity where a loss asks for it, augmented in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.seed import isolate_rng
from pytorch_metric_learning.samplers import MPerClassSampler
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, RandomSampler, Sampler

from reidops_models.data import Sample, read_image, resize_image
from reidops_models.recipe import Images, Recipe
from reidops_models.training.augment import augment

Batch = tuple[Tensor, Tensor]


class TrainingError(ValueError):
    """A training that cannot start; the message is one line."""


class TrainingImages(Dataset[Batch]):
    """Images (3, H, W) uint8 of one size, and labels that count identities from 0.

    A loader fetches whole batches at once (`__getitems__`).
    """

    def __init__(self, samples: Sequence[Sample], options: Images) -> None:
        self.samples = samples
        self.options = options
        pids = sorted({sample.pid for sample in samples})
        label = {pid: index for index, pid in enumerate(pids)}
        self.labels = torch.tensor([label[sample.pid] for sample in samples])
        self.identities = len(pids)
        self.cache = torch.stack([self._read(sample) for sample in samples]) if options.cache else None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Batch:
        image = self._read(self.samples[index]) if self.cache is None else self.cache[index]
        return image, self.labels[index]

    def __getitems__(self, indices: list[int]) -> Batch:
        if self.cache is not None:
            return self.cache[indices], self.labels[indices]
        return torch.stack([self._read(self.samples[index]) for index in indices]), self.labels[indices]

    def _read(self, sample: Sample) -> Tensor:
        image = resize_image(read_image(sample.path), *self.options.size)
        return (image * 255).round().to(torch.uint8)


class EpochSampler(Sampler[int]):
    """A sampler whose order depends on the seed and the epoch alone, so that a resumed training sees what an
    uninterrupted one would have. Lightning calls `set_epoch`.

    Several processes share one order by taking turns, a whole batch at a time: a batch of P identities x K images
    stays one, which it would not if single images were dealt out.

    Args:
        build: a new sampler, which draws from the global generators of torch and NumPy. A new one for each epoch,
            for a sampler may remember the last: `MPerClassSampler` goes on shuffling what it has shuffled.
        seed: of the order.
        batch_size: images in a batch of one process.
        rank, processes: which process this is, from 0, and of how many.
    """

    def __init__(
        self, build: Callable[[], Sampler[int]], seed: int, *, batch_size: int = 1, rank: int = 0, processes: int = 1
    ) -> None:
        self.build = build
        self.seed = seed
        self.batch_size = batch_size
        self.rank = rank
        self.processes = processes
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        length = len(self.build())  # type: ignore[arg-type]  # Sampler promises no length, both of ours have one
        # Every process has as many batches as the others, or they would wait for each other for ever.
        turn = self.batch_size * self.processes
        return length if self.processes == 1 else length // turn * self.batch_size

    def __iter__(self) -> Iterator[int]:
        with isolate_rng():
            L.seed_everything(derived_seed(self.seed, self.epoch), verbose=False)
            order = [int(index) for index in self.build()]
        if self.processes > 1:
            starts = range(self.rank * self.batch_size, len(order), self.batch_size * self.processes)
            order = [index for start in starts for index in order[start : start + self.batch_size]]
        return iter(order[: len(self)])


class ReidDataModule(L.LightningDataModule):
    """Batches of (images (B, 3, H, W) float in [0, 1], labels (B,)).

    Augmentation runs after a batch has reached its device.

    Raises:
        TrainingError: fewer identities than a batch of P identities x K images needs.
    """

    def __init__(self, images: TrainingImages, recipe: Recipe) -> None:
        super().__init__()
        if each := recipe.batches.images_per_identity:
            needed = recipe.batches.size // each
            if images.identities < needed:
                raise TrainingError(
                    f"batches: {needed} identities x {each} images, but there are {images.identities} identities"
                )
        self.images = images
        self.examples: Any = images  # what an epoch goes through; pairs of images, where a paper trains on those
        self.batch_size = recipe.batches.size  # in examples
        self.recipe = recipe

    def train_dataloader(self) -> DataLoader[Any]:
        size, options = self.batch_size, self.recipe.images
        rank, processes = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        if processes > 1 and len(self.examples) < processes * size:
            raise TrainingError(
                f"batches: {len(self.examples)} examples are less than a batch of {size} for each of "
                f"{processes} processes"
            )
        order = EpochSampler(self._sampler, self.recipe.training.seed, batch_size=size, rank=rank, processes=processes)
        return DataLoader(
            self.examples,
            batch_size=size,
            sampler=order,
            num_workers=options.workers,
            persistent_workers=options.workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=_as_fetched,
            # A last batch of one image has no batch statistics.
            drop_last=len(self.examples) > size,
        )

    def _sampler(self) -> Sampler[int]:
        batches = self.recipe.batches
        if not batches.images_per_identity:
            return RandomSampler(self.examples)
        sampler: Sampler[int] = MPerClassSampler(
            self.images.labels,
            batches.images_per_identity,
            batch_size=batches.size,
            length_before_new_iter=max(len(self.images), batches.size),
        )
        return sampler

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        # Augmentation, and whatever the network draws, follow from the step: a resumed training draws the same.
        trainer = self.trainer
        assert trainer is not None  # Lightning calls this hook from one
        step = trainer.global_step * trainer.world_size + trainer.global_rank
        torch.manual_seed(derived_seed(self.recipe.training.seed, step))
        return self.prepare(batch)

    def prepare(self, batch: Any) -> Any:
        """A batch as the loader gives it, uint8, -> what the module trains on. All that is random follows from the
        step. A paper whose batches are others overrides this."""
        images, labels = batch
        return self.augmented(images), labels

    def augmented(self, images: Tensor) -> Tensor:
        """uint8 (B, 3, H, W) -> float in [0, 1], varied as the recipe says."""
        images = augment(images.to(torch.float32) / 255, self.recipe.images)
        return images.contiguous(memory_format=torch.channels_last)


def derived_seed(seed: int, count: int) -> int:
    """A seed for each epoch, or step, of a training; neighbouring ones are far apart."""
    return (seed * 2_654_435_761 + count * 2_246_822_519) % 2**32


def _as_fetched(batch: Any) -> Any:
    return batch
