"""Partial images, sec. 4: 20 to 60 % of a holistic image cropped away in a random direction, the rest resized."""

from __future__ import annotations

import torch
from torch import Tensor

from reidops_models.training.augment import CROPPED


def draw_crops(count: int, *, device: torch.device | None = None) -> Tensor:
    """The boxes (count, 4) that are left: left, top, right, bottom in [0, 1]; one side of each is cut off.

    Drawn from torch's global generator.
    """
    gone = torch.empty(count, device=device).uniform_(*CROPPED)
    side = torch.randint(4, (count,), device=device)
    boxes = torch.tensor([0.0, 0.0, 1.0, 1.0], device=device).repeat(count, 1)
    # Cutting at the left or top moves the box's first corner, at the right or bottom its second.
    moved = torch.where(side < 2, gone, 1 - gone)
    return boxes.scatter(1, side[:, None], moved[:, None])


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """Where box `inner`, in fractions of box `outer`, lies in what `outer` is given in; both (*B, 4)."""
    corner, size = outer[..., :2], outer[..., 2:] - outer[..., :2]
    return torch.cat((corner + inner[..., :2] * size, corner + inner[..., 2:] * size), dim=-1)


def relative(box: Tensor, frame: Tensor) -> Tensor:
    """A box in fractions of `frame`; both (*B, 4) in the same coordinates. Undoes :func:`compose`."""
    corner, size = frame[..., :2], frame[..., 2:] - frame[..., :2]
    return torch.cat(((box[..., :2] - corner) / size, (box[..., 2:] - corner) / size), dim=-1)


def sampled_boxes(theta: Tensor) -> Tensor:
    """The boxes (*B, 4) around what theta (*B, 2, 3) samples, in fractions of the picture."""
    centre = theta[..., 2]
    reach = theta[..., :2].abs().sum(dim=-1)
    return torch.cat((centre - reach, centre + reach), dim=-1) / 2 + 0.5


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (*B, 4), of what of them lies in the picture."""
    a, b = a.clamp(0, 1), b.clamp(0, 1)
    inner = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(dim=-1)
    areas = [(box[..., 2:] - box[..., :2]).prod(dim=-1) for box in (a, b)]
    return inner / (areas[0] + areas[1] - inner).clamp(min=torch.finfo(a.dtype).tiny)
