"""Images of any sizes through a network, in batches of equal size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from operator import length_hint
from typing import TypeVar

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from reidops_models.data import resize_image

S = TypeVar("S")
T = TypeVar("T")


def rescale(image: Tensor, factor: float) -> Tensor:
    """An image `(3, H, W)` resized by `factor`, to one pixel at least."""
    height, width = image.shape[-2:]
    return resize_image(image, max(1, round(height * factor)), max(1, round(width * factor)))


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights are."""
    return next(network.parameters()).device


class Prepared(Iterable[T]):
    """`function` of each item, made when it is drawn. Unlike a generator it knows how many there are, where the items
    do: a progress bar then has an end.

    Example:
        >>> prepared = Prepared(lambda image: rescale(image, 0.5), [torch.rand(3, 8, 4)] * 2)
        >>> length_hint(prepared), [tuple(image.shape) for image in prepared]
        (2, [(3, 4, 2), (3, 4, 2)])
    """

    def __init__(self, function: Callable[[S], T], items: Iterable[S]) -> None:
        self._function = function
        self._items = items

    def __iter__(self) -> Iterator[T]:
        return map(self._function, self._items)

    def __length_hint__(self) -> int:
        return length_hint(self._items)


@torch.inference_mode()
def embed_in_batches(
    embed: Callable[[Tensor], Iterable[T]],
    images: Iterable[Tensor],
    *,
    batch_size: int = 64,
    progress: bool = False,
    device: torch.device | None = None,
) -> list[T]:
    """Apply `embed` to every image; images of one size share a batch. The order is kept.

    Args:
        embed: (B, 3, H, W) -> a tensor (B, ...), or B of anything else.
        images: tensors (3, H, W) of any sizes and floating-point types; `embed` gets float32. They are drawn as they
            are needed, `8 * batch_size` at a time, so a generator that reads files never holds them all.
        batch_size: images in a batch at most.
        progress: show a progress bar; it has an end where `images` has a length (:class:`Prepared`).
        device: where `embed` computes; None leaves the images where they are.

    Returns:
        One for each image: a row of `embed`'s tensor, or its own.

    Example:
        >>> images = [torch.ones(3, 8, 4), torch.zeros(3, 5, 5)]
        >>> [mean.tolist() for mean in embed_in_batches(lambda batch: batch.mean(dim=(1, 2, 3)), images)]
        [1.0, 0.0]
    """
    features: list[T] = []
    total = length_hint(images) or None
    for window in _chunks(tqdm(images, total=total, unit="image", disable=not progress, leave=False), 8 * batch_size):
        by_size: dict[torch.Size, list[int]] = defaultdict(list)
        for index, image in enumerate(window):
            by_size[image.shape].append(index)
        rows: dict[int, T] = {}
        for indices in by_size.values():
            for batch in _chunks(indices, batch_size):
                stacked = torch.stack([window[index].float() for index in batch])
                rows.update(zip(batch, embed(stacked.to(device) if device else stacked), strict=True))
        features.extend(rows[index] for index in range(len(window)))
    return features


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
