"""Boxes are moved from frame to frame, found for a theta, and compared."""

from __future__ import annotations

import pytest
import torch

import reidops
from reidops_models.boxes import box_iou, compose, relative, sampled_boxes


def test_boxes_within_boxes() -> None:
    frame = torch.tensor([0.2, 0.1, 0.6, 0.9])
    torch.testing.assert_close(compose(frame, torch.tensor([0.0, 0.0, 1.0, 1.0])), frame)
    torch.testing.assert_close(compose(frame, torch.tensor([0.5, 0.5, 1.0, 1.0])), torch.tensor([0.4, 0.5, 0.6, 0.9]))
    box = torch.rand(7, 4)
    torch.testing.assert_close(compose(frame, relative(box, frame)), box)


def test_the_sampled_box_of_a_box_is_the_box() -> None:
    boxes = torch.tensor([[0.1, 0.2, 0.5, 0.9], [0.0, 0.0, 1.0, 1.0]])
    torch.testing.assert_close(sampled_boxes(reidops.boxes_to_theta(boxes)), boxes)
    turned = torch.tensor([[0.0, -0.5, 0.0], [0.25, 0.0, 0.0]])  # a quarter turn: half as wide, a quarter as high
    torch.testing.assert_close(sampled_boxes(turned), torch.tensor([0.25, 0.375, 0.75, 0.625]))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 0.5], 0.5),
        ([0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 1.0, 1.0], 0.0),
        ([0.0, 0.0, 0.5, 1.0], [0.25, 0.0, 0.75, 1.0], 1 / 3),
        ([-1.0, -1.0, 2.0, 2.0], [0.0, 0.0, 1.0, 1.0], 1.0),  # only the image counts
        ([0.3, 0.3, 0.3, 0.3], [0.3, 0.3, 0.3, 0.3], 0.0),  # nothing of nothing
    ],
)
def test_intersection_over_union_in_the_image(a: list[float], b: list[float], expected: float) -> None:
    assert box_iou(torch.tensor(a), torch.tensor(b), clip=True).item() == pytest.approx(expected, abs=1e-6)


def test_intersection_over_union_beyond_the_image() -> None:
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    others = torch.tensor([[1.0, 1.0, 3.0, 3.0], [2.0, 2.0, 3.0, 3.0], [1.0, 1.0, 0.0, 0.0]])  # the last inside out
    torch.testing.assert_close(box_iou(boxes, others), torch.tensor([1 / 7, 0.0, 0.0]))
