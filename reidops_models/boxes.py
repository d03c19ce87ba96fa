"""Boxes in images: (left, top, right, bottom) in fractions of the width and the height, so that the image is
(0, 0, 1, 1)."""

from __future__ import annotations

import torch
from torch import Tensor


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """Express a box that is given in fractions of another box in the coordinates of that other box.

    Args:
        outer: boxes (*B, 4).
        inner: boxes (*B, 4) in fractions of `outer`.

    Returns:
        Boxes (*B, 4) in the coordinates of `outer`.

    Example:
        >>> compose(torch.tensor([0.0, 0.5, 1.0, 1.0]), torch.tensor([0.5, 0.5, 1.0, 1.0]))
        tensor([0.5000, 0.7500, 1.0000, 1.0000])
    """
    corner, size = outer[..., :2], outer[..., 2:] - outer[..., :2]
    return torch.cat((corner + inner[..., :2] * size, corner + inner[..., 2:] * size), dim=-1)


def relative(box: Tensor, frame: Tensor) -> Tensor:
    """Express a box in fractions of another one, `frame`. This is the inverse of :func:`compose`.

    Args:
        box, frame: boxes (*B, 4) in the same coordinates.

    Returns:
        Boxes (*B, 4) in fractions of `frame`.

    Example:
        >>> relative(torch.tensor([0.5, 0.75, 1.0, 1.0]), torch.tensor([0.0, 0.5, 1.0, 1.0]))
        tensor([0.5000, 0.5000, 1.0000, 1.0000])
    """
    corner, size = frame[..., :2], frame[..., 2:] - frame[..., :2]
    return torch.cat(((box[..., :2] - corner) / size, (box[..., 2:] - corner) / size), dim=-1)


def sampled_boxes(theta: Tensor) -> Tensor:
    """The smallest boxes (*B, 4) that hold what theta (*B, 2, 3) samples (`reidops.affine_sample`).

    Where theta does not turn the image, this is the inverse of `reidops.boxes_to_theta`.

    Example:
        >>> sampled_boxes(torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]]))  # the lower half
        tensor([0.0000, 0.5000, 1.0000, 1.0000])
    """
    centre = theta[..., 2]
    reach = theta[..., :2].abs().sum(dim=-1)
    return torch.cat((centre - reach, centre + reach), dim=-1) / 2 + 0.5


def box_iou(a: Tensor, b: Tensor, *, clip: bool = False) -> Tensor:
    """Intersection over union of boxes.

    Args:
        a, b: boxes (*B, 4). A box whose right edge lies left of its left edge is empty.
        clip: count only what lies in the image.

    Returns:
        (*B) values in [0, 1]; 0 where both boxes are empty.

    Example:
        >>> box_iou(torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0.5, 0.0, 1.5, 1.0]))
        tensor(0.3333)
        >>> box_iou(torch.tensor([0.0, 0.0, 1.0, 1.0]), torch.tensor([0.5, 0.0, 1.5, 1.0]), clip=True)
        tensor(0.5000)
    """
    if clip:
        a, b = a.clamp(0, 1), b.clamp(0, 1)
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(box[..., 2:] - box[..., :2]).clamp(min=0).prod(dim=-1) for box in (a, b)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=torch.finfo(a.dtype).tiny)
