"""Augmentation draws per image, and each kind does what it says."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reidops_models.recipe import Images
from reidops_models.training.augment import augment


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(0)
    return torch.rand(32, 3, 24, 12)


def options(**changes: float) -> Images:
    return Images(size=(24, 12), **{"flip": 0.0, **changes})


def test_nothing_asked_for_changes_nothing(images: Tensor) -> None:
    assert augment(images, options()).equal(images)


def test_flip_mirrors_about_half_of_the_images(images: Tensor) -> None:
    varied = augment(images, options(flip=0.5))
    kept = torch.isclose(varied, images, atol=1e-5).flatten(1).all(dim=1)
    mirrored = torch.isclose(varied, images.flip(-1), atol=1e-5).flatten(1).all(dim=1)
    assert (kept ^ mirrored).all()
    assert 5 <= int(mirrored.sum()) <= 27
    torch.testing.assert_close(augment(images, options(flip=1.0)), images.flip(-1))


def test_shift_moves_whole_pixels_and_repeats_the_border(images: Tensor) -> None:
    varied = augment(images, options(shift=0.25))
    seen = set()
    for image, result in zip(images, varied, strict=True):
        matches = [
            (down, right)
            for down in range(-6, 7)
            for right in range(-3, 4)
            if torch.allclose(shifted(image, down, right), result, atol=1e-4)
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) > 10


def test_partial_crops_keep_one_side(images: Tensor) -> None:
    # A ramp tells where a row came from: a crop from above begins later, one from below ends earlier.
    ramp = torch.linspace(0, 1, 240).view(1, 1, 240, 1).expand(64, 3, 240, 12)
    varied = augment(ramp, Images(size=(240, 12), flip=0.0, partial=1.0))
    top, bottom = varied[:, 0, 0, 0], varied[:, 0, -1, 0]
    left = bottom - top
    cropped = left < 0.95
    assert 20 <= int(cropped.sum()) <= 44  # the others were cropped from left or right, which a vertical ramp hides
    assert (left[cropped] > 0.38).all()
    assert (left[cropped] < 0.82).all()
    assert ((top < 0.01) | (bottom > 0.99)).all()


def test_jitter_stays_in_range_and_differs_between_images(images: Tensor) -> None:
    varied = augment(images[:1].expand(32, -1, -1, -1), options(jitter=0.3))
    assert varied.min() >= 0
    assert varied.max() <= 1
    assert len({round(image.mean().item(), 5) for image in varied}) > 25


def test_erasing_paints_a_rectangle(images: Tensor) -> None:
    varied = augment(images, options(erase=1.0))
    changed = (varied != images).any(dim=1)
    assert changed.flatten(1).any(dim=1).sum() > 25
    for mask in changed:
        rows, columns = mask.any(dim=1), mask.any(dim=0)
        assert mask.equal(rows[:, None] & columns[None, :])


def shifted(image: Tensor, down: int, right: int) -> Tensor:
    """out[y, x] = image[y + down, x + right], the border repeated."""
    rows = (torch.arange(24) + down).clamp(0, 23)
    columns = (torch.arange(12) + right).clamp(0, 11)
    return image[:, rows][:, :, columns]
