"""Partial images are cut as sec. 4 says."""

from __future__ import annotations

import torch

from reidops_models.data import resize_image
from reidops_models.stnreid.triples import cut, draw_crops


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
