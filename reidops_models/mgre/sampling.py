"""The sampling module, eq. 4 and 5: the maps of a box, at a fixed size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

import reidops


def sample_regions(maps: Tensor, boxes: Tensor, sizes: Sequence[tuple[int, int]]) -> list[Tensor]:
    r"""What each box shows of the maps, by bilinear interpolation; nothing beyond their edges.

    .. math::
        x^s = c_x W + (x^t - M / 2) \, l_1 / M, \qquad
        V(x^t, y^t) = \sum_{n, m} U_{nm} \max(0, 1 - |x^s - m|) \max(0, 1 - |y^s - n|)

    Coordinates are those of the pixels' centres, 1/2, 3/2, ... on either side, so that a box of the sampled size is a
    crop. Boxes of one size share a call.

    Args:
        maps: (B, C, H, W).
        boxes: (B, R, 4) left, top, right, bottom, as shares of the maps.
        sizes: (N, M) of each of the R regions.

    Returns:
        R maps (B, C, N, M), with gradients to maps and boxes.

    Example:
        >>> import torch
        >>> whole = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])
        >>> maps = torch.rand(1, 2, 8, 4)
        >>> torch.allclose(sample_regions(maps, whole, [(8, 4)])[0], maps, atol=1e-6)
        True
    """
    theta = reidops.boxes_to_theta(boxes)
    found: dict[int, Tensor] = {}
    for size in dict.fromkeys(sizes):
        chosen = [region for region, one in enumerate(sizes) if one == size]
        sampled = reidops.affine_sample(maps[:, None], theta[:, chosen], size)
        found.update(zip(chosen, sampled.unbind(dim=1), strict=True))
    return [found[region] for region in range(len(sizes))]
