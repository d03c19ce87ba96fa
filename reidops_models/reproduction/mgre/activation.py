"""Class activation maps (Zhou et al., CVPR 2016): which places of an image speak for an identity, stage by stage."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from reidops_models.mgre.modules import Embedding, pooled
from reidops_models.mgre.network import MgreNetwork


def activation_maps(network: MgreNetwork, images: Tensor, labels: Tensor) -> dict[int, Tensor]:
    r"""Of every stage with a feature, where in the image the logit of an identity comes from.

    In evaluation mode a stage's logit is a linear function of what its maps pool to, :math:`\sum_c w_c \bar F_c`; the
    map is :math:`\sum_c w_c F_c(x, y)`. A region's map lies where its box is in the image; where regions overlap,
    theirs are added.

    Args:
        network: in evaluation mode, without boxes that must be given.
        images: (B, 3, H, W) in [0, 1].
        labels: (B,) training identities.

    Returns:
        By stage, (B, H, W); only the relation of its values means anything.

    Example:
        >>> from reidops_models.mgre.recipe import NetworkOptions
        >>> network = MgreNetwork(NetworkOptions(backbone="resnet50_ibn_a_slim"), (128, 64), identities=4).eval()
        >>> maps = activation_maps(network, torch.rand(2, 3, 128, 64), torch.tensor([0, 3]))
        >>> sorted(maps), maps[1].shape
        ([1, 2, 3, 4], torch.Size([2, 128, 64]))
    """
    with torch.no_grad():
        described = network.describe(images)
    size = (images.shape[2], images.shape[3])
    found = {}
    for stage in network.featured:
        regions = described.maps[stage]
        weights = logit_weights(network.embedding(stage), regions, labels)
        total = images.new_zeros(len(images), *size)
        for index, (maps, weight) in enumerate(zip(regions, weights, strict=True)):
            activation = (maps * weight[:, :, None, None]).sum(dim=1)
            boxes = described.boxes[stage][:, index] if stage in described.boxes else None
            total += pasted(activation, boxes, size)
        found[stage] = total
    return found


def logit_weights(embedding: Embedding, regions: list[Tensor], labels: Tensor) -> list[Tensor]:
    """(B, C_r) of each region: the derivative of a label's logit by what the region's maps pool to."""
    with torch.enable_grad():
        vectors = [pooled(maps).requires_grad_() for maps in regions]
        logits = embedding.classify(embedding.linear(torch.cat(vectors, dim=1)))
        return list(torch.autograd.grad(logits.gather(1, labels[:, None]).sum(), vectors))


def pasted(maps: Tensor, boxes: Tensor | None, size: tuple[int, int]) -> Tensor:
    """Maps (B, h, w) drawn into images of `size` where their boxes (B, 4) are; zero elsewhere. None: all of it."""
    if boxes is None:
        return F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    height, width = size
    y = (torch.arange(height, device=maps.device) + 0.5) / height
    x = (torch.arange(width, device=maps.device) + 0.5) / width
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).view(1, -1, 2)
    # Where in the box a pixel of the image is, from -1 to 1.
    inside = 2 * (places - low) / (high - low).clamp(min=1e-6) - 1
    grid = inside.view(len(maps), height, width, 2)
    drawn = F.grid_sample(maps[:, None], grid, padding_mode="border", align_corners=False)[:, 0]
    return drawn * (grid.abs() <= 1).all(dim=3)
