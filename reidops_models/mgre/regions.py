"""The body regions of table 1, and where an image's joints put them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reidops_models.data import KEYPOINTS

MARGIN = 0.05  # of eq. 3, in shares of the image
MIN_JOINTS = 2  # joints that must be there: one has no extent


@dataclass(frozen=True)
class Region:
    """A row of table 1.

    Attributes:
        name: as in the paper.
        stage: the residual block behind which it is located, from 1.
        centre: (C_x, C_y), the predefined centre, as shares of the image.
        size: (N, M), height and width in which its maps are sampled, for images of 256x128.
        joints: indices of COCO's keypoints that belong to it; the paper does not list them.
    """

    name: str
    stage: int
    centre: tuple[float, float]
    size: tuple[int, int]
    joints: tuple[int, ...]


def _joints(*names: str) -> tuple[int, ...]:
    return tuple(index for index, joint in enumerate(KEYPOINTS) if joint.endswith(names))


HEAD = ("nose", "eye", "ear")
ARM = ("shoulder", "elbow", "wrist", "hip")
LEG = ("hip", "knee", "ankle")

REGIONS = (
    Region("head", 1, (1 / 2, 1 / 12), (8, 8), _joints(*HEAD)),
    Region("left half of the torso", 1, (1 / 2, 1 / 3), (32, 16), _joints(*(f"left_{joint}" for joint in ARM))),
    Region("right half of the torso", 1, (1 / 2, 1 / 3), (32, 16), _joints(*(f"right_{joint}" for joint in ARM))),
    Region("legs", 1, (1 / 2, 3 / 4), (24, 32), _joints(*LEG)),
    Region("upper body", 2, (1 / 2, 1 / 3), (16, 16), _joints(*ARM)),
    Region("lower body", 2, (1 / 2, 3 / 4), (16, 16), _joints(*LEG)),
    Region("whole body", 3, (1 / 2, 1 / 2), (16, 8), _joints(*HEAD, *ARM, *LEG)),
)


def regions_of(stage: int) -> tuple[Region, ...]:
    """The regions that are located behind a residual block.

    Example:
        >>> [region.name for region in regions_of(2)]
        ['upper body', 'lower body']
    """
    return tuple(region for region in REGIONS if region.stage == stage)


def region_boxes(poses: Tensor, regions: tuple[Region, ...]) -> tuple[Tensor, Tensor]:
    """The boxes that eq. 3 asks for: the hull of a region's joints, and the margin around it.

    Only joints that are there count (v > 0, and inside the image). A region with fewer than two of them has no box: it
    is masked, and no zeros stand for it.

    Args:
        poses: (B, 17, 3), x and y as shares of the image, and v.
        regions: R of them.

    Returns:
        (B, R, 4) left, top, right and bottom edges as shares of the image; zeros where there is none; and (B, R)
        whether there is one.

    Example:
        >>> pose = torch.tensor([[[0.5, 0.1, 2.0]] * 5 + [[0.0, 0.0, 0.0]] * 12])
        >>> boxes, there = region_boxes(pose, REGIONS[:2])
        >>> boxes[0, 0], there
        (tensor([0.4500, 0.0500, 0.5500, 0.1500]), tensor([[ True, False]]))
    """
    inside = ((poses[..., :2] >= 0) & (poses[..., :2] <= 1)).all(dim=2)
    seen = (poses[..., 2] > 0) & inside
    boxes, there = [], []
    for region in regions:
        points, mask = poses[:, list(region.joints), :2], seen[:, list(region.joints)]
        low = torch.where(mask[..., None], points, torch.inf).amin(dim=1) - MARGIN
        high = torch.where(mask[..., None], points, -torch.inf).amax(dim=1) + MARGIN
        enough = mask.sum(dim=1) >= MIN_JOINTS
        boxes.append(torch.where(enough[:, None], torch.cat((low, high), dim=1), 0.0))
        there.append(enough)
    return torch.stack(boxes, dim=1), torch.stack(there, dim=1)
