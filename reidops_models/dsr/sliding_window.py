"""SWM, a rival of DSR's tables: a window of the probe's size slides over each gallery image (sec. 1 and 4.4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from reidops_models.data import resize_image
from reidops_models.dsr.network import DsrNetwork
from reidops_models.matching import Embedding, Explanation, Role, cut_pairs, embed_in_batches, pair_bar, rescale

Size = tuple[int, int]


class SlidingWindowMatcher:
    """Sliding window matching: the most similar region of the gallery image decides.

    Every window is cut from the image and passes the network by itself, and windows depend on the probe's size, so
    they are made anew for each size of probe. That is what the paper says SWM costs (table 3), and no computation is
    shared here either. The distance is Euclidean, between all values of the probe's and of the window's map.

    Left open by the paper, and chosen here: the step; windows flush with the far borders, so that none is left out;
    maps normalised as DSR's; and a probe larger than the gallery image, with which "SWM would not work well": it is
    shrunk, in its proportions, until it fits.

    Args:
        network: trained; put into evaluation mode by the caller.
        image_size: (height, width) of the training images, to which gallery images are resized.
        step: pixels between two windows, along both sides.
        probe_scale: as of `DsrMatcher`.
        batch_size: windows that pass the network together, at most.

    Example:
        >>> from reidops_models.dsr.recipe import NetworkOptions
        >>> network = DsrNetwork(NetworkOptions(backbone="resnet_slim"), identities=1).eval()
        >>> matcher = SlidingWindowMatcher(network, image_size=(128, 64), step=16)
        >>> gallery = matcher.embed([torch.rand(3, 128, 64), torch.rand(3, 200, 90)])
        >>> matcher.distances(matcher.embed([torch.rand(3, 70, 64)], role="probe"), gallery).shape
        torch.Size([1, 2])
    """

    name = "SWM"

    def __init__(
        self,
        network: DsrNetwork,
        image_size: Size,
        *,
        step: int,
        probe_scale: float = 1.0,
        batch_size: int = 256,
    ) -> None:
        self.network = network
        self.image_size = image_size
        self.step = step
        self.probe_scale = probe_scale
        self.batch_size = batch_size

    @property
    def embedding(self) -> Embedding:
        """Each image in the size in which it is matched."""
        return Embedding("image", options=(self.image_size, self.probe_scale))

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        """The images themselves, in the size in which they are matched: features depend on both sides."""
        if role == "gallery":
            return [resize_image(image, *self.image_size) for image in images]
        return [self._fitted(image) for image in images]

    def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
        """(P, G) Euclidean distances to the nearest window."""
        table = torch.zeros(len(probes), len(gallery), dtype=torch.float32)
        if not probes or not gallery:
            return table
        by_size: dict[Size, list[int]] = defaultdict(list)
        for index, probe in enumerate(probes):
            by_size[(probe.shape[1], probe.shape[2])].append(index)
        step = (self.step, self.step)
        with pair_bar(table.numel(), progress, self.name) as bar:
            for size, indices in by_size.items():
                left = torch.stack(self._features(probes[index] for index in indices))
                count = len(window_boxes(self.image_size, size, step))
                together = max(1, self.batch_size // count)  # images whose windows are there at a time
                most = len(indices) * together
                for tile in cut_pairs(len(indices), len(gallery), most=most, wide=together, bar=bar):
                    cut = (window for image in gallery[tile.gallery] for window in windows(image, size, step))
                    right = torch.stack(self._features(cut))  # (gallery images * count, D)
                    nearest = torch.cdist(left[tile.probes], right).unflatten(1, (-1, count)).amin(2)
                    table[indices[tile.probes], tile.gallery] = nearest
        return table

    def explain(self, probe: Tensor, gallery: Tensor) -> Explanation | None:
        """None: the best window is compared as a whole."""
        return None

    def _fitted(self, probe: Tensor) -> Tensor:
        height, width = probe.shape[-2:]
        return rescale(probe, min(self.probe_scale, self.image_size[0] / height, self.image_size[1] / width))

    def _features(self, images: Iterable[Tensor]) -> list[Tensor]:
        device = next(self.network.parameters()).device
        maps = embed_in_batches(self.network, images, batch_size=self.batch_size, device=device)
        return [one.flatten().cpu() for one in maps]


def window_boxes(image_size: Size, size: Size, step: Size) -> list[tuple[int, int]]:
    """(top, left) of every window, row by row: one step apart, the last ones flush with the border.

    Example:
        >>> window_boxes((10, 4), size=(4, 4), step=(4, 4))
        [(0, 0), (4, 0), (6, 0)]
    """

    def starts(length: int, window: int, apart: int) -> list[int]:
        last = length - window
        return [*range(0, last, apart), last]

    (height, width), (tall, wide), (down, right) = image_size, size, step
    return [(top, left) for top in starts(height, tall, down) for left in starts(width, wide, right)]


def windows(image: Tensor, size: Size, step: Size) -> list[Tensor]:
    """The windows `(3, h, w)` of an image `(3, H, W)`, as :func:`window_boxes` orders them."""
    tall, wide = size
    boxes = window_boxes((image.shape[1], image.shape[2]), size, step)
    return [image[:, top : top + tall, left : left + wide] for top, left in boxes]
