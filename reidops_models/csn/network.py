"""The network of CSN, sec. 3.1 and fig. 2: what each image needs once, and what each pair needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

import torch
from torch import Tensor, nn

from reidops_models.csn.modules import ConvolutionBlock, ConvolutionSimilarityNetwork, RankingNet, pool
from reidops_models.csn.recipe import NetworkOptions

DIRECTIONS = 2  # the one's parts on the other's maps, and the other's on the one's
CONV4, CONV6 = 32, 500  # maps of conv4 and conv5, and of conv6


@dataclass(frozen=True)
class CsnDescription:
    """All that comparisons need of images; `maps`, `parts` and `theta` have an entry for each level.

    Attributes:
        maps: (B, C, H, W).
        parts: (B, T, C, f, f).
        theta: (B, T, 2, 3), from a part to its stripe.
        vectors: (B, 256) of unit length.
    """

    maps: tuple[Tensor, ...]
    parts: tuple[Tensor, ...]
    theta: tuple[Tensor, ...]
    vectors: Tensor

    def __len__(self) -> int:
        return len(self.vectors)

    def __getitem__(self, index: Tensor | slice) -> CsnDescription:
        """The images of an index."""
        return self._each(itemgetter(index))

    def to(self, device: torch.device) -> CsnDescription:
        """On a device."""
        return self._each(lambda value: value.to(device))

    def unbind(self) -> list[CsnDescription]:
        """One for each image, without the dimension B."""
        return [self._each(itemgetter(index)) for index in range(len(self))]

    @staticmethod
    def stack(images: Sequence[CsnDescription]) -> CsnDescription:
        """Inverse of `unbind`: stacks single images into a batch."""
        maps, parts, theta = (
            tuple(torch.stack(levels) for levels in zip(*(getattr(one, name) for one in images), strict=True))
            for name in ("maps", "parts", "theta")
        )
        return CsnDescription(maps, parts, theta, torch.stack([one.vectors for one in images]))

    def _each(self, change: Callable[[Tensor], Tensor]) -> CsnDescription:
        maps, parts, theta = (tuple(map(change, levels)) for levels in (self.maps, self.parts, self.theta))
        return CsnDescription(maps, parts, theta, change(self.vectors))


class CsnNetwork(nn.Module):
    """A trunk of three or four convolutions, a Convolution Similarity Network at each level, a classifier of pairs.

    Args:
        options: its levels, widths and parts.
        image_size: (height, width) of the images; the paper's is (160, 60).

    Example:
        >>> network = CsnNetwork(NetworkOptions(), (160, 60)).eval()
        >>> images = torch.rand(3, 3, 160, 60)
        >>> described = network.describe(images)
        >>> [tuple(maps.shape) for maps in described.maps]
        [(3, 96, 40, 15), (3, 96, 20, 8)]
        >>> network.compare(described[:1], described[1:2]).shape  # logits of "two people" and "one person"
        torch.Size([1, 2])
    """

    def __init__(self, options: NetworkOptions, image_size: tuple[int, int]) -> None:
        super().__init__()
        first, channels = options.channels
        self.image_size = image_size
        self.channels = channels
        self.levels = options.levels
        self.stripes = options.stripes
        # Level 2 is 40x15, the deepest one 20x8. In the extended model the third pooling follows the fourth
        # convolution: so, and not otherwise, do table 5's operations come out (docs/csn.md).
        deepest = max(options.levels)
        blocks = [ConvolutionBlock(3, first, 5, pooled=True), ConvolutionBlock(first, channels, 3, pooled=True)]
        blocks += [ConvolutionBlock(channels, channels, 3, pooled=level == deepest) for level in range(3, deepest + 1)]
        self.trunk = nn.ModuleList(blocks)
        # Of each level: (height, width), and whether its score maps are pooled, as those of 40x15 are.
        sizes = map_sizes(blocks, image_size)
        self.map_sizes = [sizes[level - 1] for level in options.levels]
        self.pooled = [size == sizes[1] for size in self.map_sizes]
        self.similarity: Sequence[ConvolutionSimilarityNetwork] = nn.ModuleList(  # type: ignore[assignment]  # of these
            ConvolutionSimilarityNetwork(
                channels,
                size,
                options.part_sizes[level - 2],
                stripes=options.stripes,
                learnt=options.localisation == "learnt",
            )
            for level, size in zip(options.levels, self.map_sizes, strict=True)
        )
        self.ranking = RankingNet(channels, len(options.levels))
        groups = DIRECTIONS * options.stripes * len(options.levels)
        self.conv4 = ConvolutionBlock(groups * channels, CONV4, 1)
        self.conv5 = ConvolutionBlock(CONV4, CONV4, 3, pooled=True)
        self.conv6 = ConvolutionBlock(CONV4, CONV6, 1)
        self.classifier = nn.Linear(CONV6, 2)

    def describe(self, images: Tensor) -> CsnDescription:
        """All that is done once for an image: (B, 3, H, W) in [0, 1]."""
        maps, kept = images - 0.5, []
        for level, layer in enumerate(self.trunk, start=1):
            maps = layer(maps)
            if level in self.levels:
                kept.append(maps)
        found = [network.parts(level) for network, level in zip(self.similarity, kept, strict=True)]
        parts, theta = zip(*found, strict=True)
        return CsnDescription(tuple(kept), parts, theta, self.ranking(parts))

    forward = describe

    def score_maps(self, probe: CsnDescription, gallery: CsnDescription) -> list[Tensor]:
        """Eq. 2 at each level: (*B, 2, T, C, H, W), first the probe's parts on the gallery's maps, then the reverse.

        Batch dimensions broadcast.
        """
        found = []
        for level, network in enumerate(self.similarity):
            forth = network.correlate(gallery.maps[level], probe.parts[level])
            back = network.correlate(probe.maps[level], gallery.parts[level])
            found.append(torch.stack((forth, back), dim=-5))
        return found

    def corners(self, images: CsnDescription) -> list[Tensor]:
        """(B, T, 4, 2) of each level: the corners (x, y) of the parts as fractions of the image, clockwise from the
        upper left."""
        found = []
        for (height, _), network, theta in zip(self.map_sizes, self.similarity, images.theta, strict=True):
            square = theta.new_tensor([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1]])
            in_stripe = (square @ theta.mT + 1) / 2
            rows = theta.new_tensor(network.rows) / height
            tall = (rows[:, 1] - rows[:, 0])[:, None]
            found.append(torch.stack((in_stripe[..., 0], rows[:, :1] + tall * in_stripe[..., 1]), dim=-1))
        return found

    def compare(self, probe: CsnDescription, gallery: CsnDescription) -> Tensor:
        """Logits (B, 2) of "two people" and "one person", for pairs of described images."""
        levels = [
            pool(maps.flatten(1, 3)) if pooled else maps.flatten(1, 3)
            for pooled, maps in zip(self.pooled, self.score_maps(probe, gallery), strict=True)
        ]
        return self.classify(self.conv4.convolution(torch.cat(levels, dim=1)))

    def classify(self, projected: Tensor) -> Tensor:
        """Logits (B, 2) from what conv4 makes of the score maps, (B, 32, 20, 8), before its normalisation."""
        maps = self.conv6(self.conv5(self.conv4.after(projected)))
        return self.classifier(maps.mean(dim=(2, 3)))


def map_sizes(trunk: Sequence[ConvolutionBlock], image_size: tuple[int, int]) -> list[tuple[int, int]]:
    """(height, width) of the maps behind each block."""
    height, width = image_size
    sizes = []
    for block in trunk:
        if block.pooled:
            height, width = (height + 1) // 2, (width + 1) // 2
        sizes.append((height, width))
    return sizes
