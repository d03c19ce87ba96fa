"""The Convolution Similarity Network of a level: parts of one image, slid over the maps of the other (fig. 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import reidops
from reidops_models.csn.localisation import LocalisationNet


class ConvolutionSimilarityNetwork(nn.Module):
    """Stripes, a localisation net that all of them share, and a part of `size` x `size` of each (sec. 3.1).

    Args:
        channels: of the level's maps.
        map_size: their (height, width).
        size: of a part; the paper's f.
        stripes: 3 overlapping ones of half the height, or 1, the whole map (table 4, C1).
        learnt: whether a localisation net finds the part; otherwise it is the middle of the stripe (table 4, C2).

    Example:
        >>> network = ConvolutionSimilarityNetwork(96, (40, 15), 10).eval()
        >>> one, other = torch.rand(2, 96, 40, 15), torch.rand(2, 96, 40, 15)
        >>> parts, theta = network.parts(one)
        >>> parts.shape, network.correlate(other, parts).shape
        (torch.Size([2, 3, 96, 10, 10]), torch.Size([2, 3, 96, 40, 15]))
    """

    def __init__(
        self, channels: int, map_size: tuple[int, int], size: int, *, stripes: int = 3, learnt: bool = True
    ) -> None:
        super().__init__()
        self.size = size
        self.rows = stripe_rows(map_size[0], stripes)
        # At this scale a part is a crop: f x f of the stripe's own pixels.
        rows = self.rows[0][1] - self.rows[0][0]
        self.start = (min(size / map_size[1], 0.95), min(size / rows, 0.95))
        self.localisation = LocalisationNet(channels, self.start) if learnt else None

    def parts(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (B, C, H, W) -> parts (B, T, C, f, f) and theta (B, T, 2, 3), from a part to its stripe, eq. 1."""
        stripes = torch.stack([maps[:, :, top:bottom] for top, bottom in self.rows], dim=1)
        theta = self._theta(stripes)
        return reidops.affine_sample(stripes, theta, (self.size, self.size)), theta

    def correlate(self, maps: Tensor, parts: Tensor) -> Tensor:
        """Score maps (*B, T, C, H, W), eq. 2: parts (*B, T, C, f, f) slid over maps (*B, C, H, W). *B broadcast."""
        return reidops.depthwise_xcorr(maps.unsqueeze(-4), parts)

    def _theta(self, stripes: Tensor) -> Tensor:
        if self.localisation is not None:
            return self.localisation(stripes.flatten(0, 1)).unflatten(0, stripes.shape[:2])
        width, height = self.start
        fixed = stripes.new_tensor([[width, 0, 0], [0, height, 0]])
        return fixed.expand(*stripes.shape[:2], 2, 3)


def stripe_rows(height: int, stripes: int) -> list[tuple[int, int]]:
    """(first, beyond the last) row of each stripe: of half the height, each overlapping the next by half.

    Example:
        >>> stripe_rows(40, 3)
        [(0, 20), (10, 30), (20, 40)]
        >>> stripe_rows(40, 1)
        [(0, 40)]
    """
    if stripes == 1:
        return [(0, height)]
    tall = (height + 1) // 2
    return [(top, top + tall) for top in (0, (height - tall) // 2, height - tall)]
