"""Descriptors for other people's code: images in, vectors out."""

from __future__ import annotations

from collections.abc import Iterable
from operator import length_hint

import torch
from torch import Tensor
from tqdm.auto import tqdm

from reidops_models.data import ImageError, read_images, resize_image
from reidops_models.devices import Device
from reidops_models.matching import embed_in_batches
from reidops_models.paper import usable_papers
from reidops_models.retrieval.images import ImageSource, is_image
from reidops_models.retrieval.model import Model, find_model


class ExtractorError(ValueError):
    """A model whose images have no vector, or what is not an image; the message is one line."""


class FeatureExtractor:
    """Descriptors of images by a trained network. The nearer two are (Euclidean), the more alike the people.

    Where the paper compares by the cosine, descriptors have unit length, and the product of two is the cosine.

    Args:
        model: a paper's name, for its shipped checkpoint; a checkpoint's file; or a loaded checkpoint.
        device: where the network computes: `auto`, `cpu`, `cuda` or `cuda:N`. None is where a loaded checkpoint is, and
            the CPU for others.
        batch_size: images that pass the network together, at most.
        workers: threads that read files ahead, 0 or more; None: one for each processor, 8 at most.

    Attributes:
        checkpoint: the network and its recipe.

    Raises:
        CheckpointError: a file that cannot be loaded.
        DeviceError: there is no such device.
        ExtractorError: a model that compares maps or pairs, and has no vector of an image (csn, dsr).

    Example:
        >>> extract = FeatureExtractor("dpti")
        >>> descriptors = extract([torch.rand(3, 200, 90), torch.rand(3, 128, 64)])  # or paths of image files
        >>> descriptors.shape, (descriptors @ descriptors.mT).shape
        (torch.Size([2, 576]), torch.Size([2, 2]))
    """

    def __init__(
        self,
        model: Model = "dpti",
        *,
        device: Device | None = None,
        batch_size: int = 64,
        workers: int | None = None,
    ) -> None:
        self.checkpoint = find_model(model, device)
        paper = self.checkpoint.paper
        if not paper.has_descriptors:
            having = ", ".join(other.name for other in usable_papers() if other.has_descriptors)
            raise ExtractorError(
                f"FeatureExtractor: {paper.name} has no vector of an image; these models have: {having}"
            )
        self._extract = paper.extract
        self.batch_size = batch_size
        self.workers = workers

    def __call__(self, images: Tensor | Iterable[ImageSource], *, progress: bool = False) -> Tensor:
        """Descriptors (B, C) float32 on the CPU, in order.

        Args:
            images: (B, 3, H, W) float, RGB in [0, 1]; or tensors (3, H, W) of any sizes, or paths of image
                files. They are drawn as they are needed.
            progress: show a progress bar.

        Raises:
            ImageError: a file cannot be read.
            ExtractorError: a tensor is not an image.
        """
        recipe, network = self.checkpoint.recipe, self.checkpoint.network
        total = length_hint(images) or None
        with tqdm(images, total=total, unit="image", disable=not progress, leave=False) as sources:
            read = read_images(map(_source, sources), self.workers)
            found = embed_in_batches(
                lambda batch: self._extract(network, recipe, batch).float().cpu(),
                (resize_image(_whole(image), *recipe.images.size) for image in read),
                batch_size=self.batch_size,
                device=self.checkpoint.device,
            )
        return torch.stack(found) if found else torch.zeros(0, self._width(), dtype=torch.float32)

    @torch.inference_mode()
    def _width(self) -> int:
        recipe = self.checkpoint.recipe
        blank = torch.zeros(1, 3, *recipe.images.size, dtype=torch.float32, device=self.checkpoint.device)
        return self._extract(self.checkpoint.network, recipe, blank).shape[1]


def _whole(image: Tensor | ImageError) -> Tensor:
    if isinstance(image, ImageError):
        raise image
    return image


def _source(source: ImageSource) -> ImageSource:
    if isinstance(source, Tensor) and not is_image(source):
        raise ExtractorError(
            f"FeatureExtractor: images: expected float (3, H, W) in [0, 1], got {source.dtype} of {tuple(source.shape)}"
        )
    return source
