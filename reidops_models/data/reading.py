"""Many image files, read ahead by threads, in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from torch import Tensor

from reidops_models.data.images import ImageError, as_image, decode_image

__all__ = ["default_workers", "read_images"]

MOST = 8  # threads by default
AHEAD = 4  # files that are decoded or waiting, for each thread

Source = str | os.PathLike[str] | Tensor


def default_workers() -> int:
    """As many threads as this process has processors, 8 at most."""
    return min(MOST, len(os.sched_getaffinity(0)))


def read_images(sources: Iterable[Source], workers: int | None = None) -> Iterator[Tensor | ImageError]:
    """Read images in order, each file once, while the caller works on those before.

    Threads and not processes, because they start at once and copy nothing, and Pillow decodes without Python's lock. No
    more than a few files for each thread are in memory.

    Args:
        sources: paths, which are drawn as they are needed. A tensor is an image already and is handed on.
        workers: threads that decode; 0 decodes in the caller's own. None: one for each processor, 8 at most.

    Yields:
        Of each source the image, float32 (3, H, W) in [0, 1] as `read_image` gives it, or what is wrong with the file.

    Example:
        >>> import torch
        >>> missing, image = read_images(["no.jpg", torch.rand(3, 8, 4)])
        >>> str(missing), image.shape
        ('no.jpg: no such file', torch.Size([3, 8, 4]))
    """
    count = default_workers() if workers is None else workers
    if count == 0:
        for source in sources:
            yield source if isinstance(source, Tensor) else _finished(_decoded(source))
        return
    waiting: deque[Tensor | Future[np.ndarray | ImageError]] = deque()
    with ThreadPoolExecutor(count, "reidops-read") as threads:
        try:
            for source in sources:
                waiting.append(source if isinstance(source, Tensor) else threads.submit(_decoded, source))
                if len(waiting) > AHEAD * count:
                    yield _awaited(waiting.popleft())
            while waiting:
                yield _awaited(waiting.popleft())
        finally:  # the caller may stop before the end
            for one in waiting:
                if isinstance(one, Future):
                    one.cancel()


def _decoded(path: str | os.PathLike[str]) -> np.ndarray | ImageError:
    try:
        return decode_image(path)
    except ImageError as error:
        return error


def _awaited(one: Tensor | Future[np.ndarray | ImageError]) -> Tensor | ImageError:
    return one if isinstance(one, Tensor) else _finished(one.result())


def _finished(found: np.ndarray | ImageError) -> Tensor | ImageError:
    """Made a tensor by the caller's thread: torch would give each thread that computes a team of its own."""
    return found if isinstance(found, ImageError) else as_image(found)
