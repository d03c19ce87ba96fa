"""Partial images are cut as sec. 4 says, and boxes are what they are taken for."""

from __future__ import annotations

import pytest
import torch

import reidops
from reidops_models.data import resize_image
from reidops_models.stnreid.partial import box_iou, compose, draw_crops, relative, sampled_boxes
from reidops_models.stnreid.triples import cut


def test_20_to_60_per_cent_go_from_one_of_four_sides() -> None:
    torch.manual_seed(0)
    boxes = draw_crops(2000)
    whole = torch.tensor([0.0, 0.0, 1.0, 1.0])
    moved = boxes != whole
    assert (moved.sum(dim=1) == 1).all()
    gone = (boxes - whole).abs().sum(dim=1)
    assert 0.2 <= gone.min() < 0.21
    assert 0.59 < gone.max() <= 0.6
    assert moved.float().mean(dim=0).sub(0.25).abs().max() < 0.04  # every side as often as any other


def test_what_is_left_is_resized_to_the_whole() -> None:
    torch.manual_seed(0)
    images = torch.rand(2, 3, 40, 20)
    boxes = torch.tensor([[0.0, 0.25, 1.0, 1.0], [0.4, 0.0, 1.0, 1.0]])
    found = cut(images, boxes)
    # At the cut itself the sampling still sees the pixel beyond it, which the resized part has lost.
    part = resize_image(images[0, :, 10:], 40, 20)
    torch.testing.assert_close(found[0][:, 1:], part[:, 1:], rtol=1e-4, atol=1e-4)
    part = resize_image(images[1, :, :, 8:], 40, 20)
    torch.testing.assert_close(found[1][:, :, 1:], part[:, :, 1:], rtol=1e-4, atol=1e-4)


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
        ([-1.0, -1.0, 2.0, 2.0], [0.0, 0.0, 1.0, 1.0], 1.0),  # only the picture counts
        ([0.3, 0.3, 0.3, 0.3], [0.3, 0.3, 0.3, 0.3], 0.0),  # nothing of nothing
    ],
)
def test_intersection_over_union(a: list[float], b: list[float], expected: float) -> None:
    assert box_iou(torch.tensor(a), torch.tensor(b)).item() == pytest.approx(expected, abs=1e-6)
