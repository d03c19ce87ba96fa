from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reidops_models.data.augmentation import Augmentation, adjust_colors, crop_partially, erase_rectangle, shift

OFF = dict.fromkeys(vars(Augmentation()), 0.0)


@pytest.fixture
def image():
    return torch.rand(3, 20, 10, generator=torch.Generator().manual_seed(0))


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 30), width=st.integers(1, 30), seed=st.integers(0, 1000))
def test_any_size_keeps_its_size_and_range(height, width, seed):
    torch.manual_seed(seed)
    image = torch.rand(3, height, width)
    before = image.clone()
    strong = Augmentation(1.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)(image)
    assert strong.shape == image.shape
    assert strong.min() >= 0
    assert strong.max() <= 1
    assert torch.equal(image, before)


def test_off_changes_nothing(image):
    assert torch.equal(Augmentation(**OFF)(image), image)


def test_the_global_seed_repeats_the_draws(image):
    augmentation = Augmentation(partial_crop=0.5, erasing=0.5)
    torch.manual_seed(1)
    first = [augmentation(image) for _ in range(5)]
    torch.manual_seed(1)
    again = [augmentation(image) for _ in range(5)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])


def test_flip(image):
    assert torch.equal(Augmentation(**OFF | {"flip": 1.0})(image), image.flip(-1))


def test_flip_as_often_as_asked(image):
    torch.manual_seed(0)
    flipped = sum(not torch.equal(Augmentation(**OFF | {"flip": 0.3})(image), image) for _ in range(500))
    assert 110 < flipped < 190


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (3, -2), (-4, 5), (25, 0)])
def test_shift_by_the_definition(image, rows, columns):
    moved = shift(image, rows, columns)
    for y in range(20):
        for x in range(10):
            source = image[:, min(max(y - rows, 0), 19), min(max(x - columns, 0), 9)]
            assert torch.equal(moved[:, y, x], source)


def test_partial_crops_keep_40_to_80_percent_of_one_side():
    torch.manual_seed(0)
    image = torch.arange(3 * 100 * 50.0).view(3, 100, 50)
    sides = set()
    for _ in range(200):
        height, width = crop_partially(image).shape[-2:]
        assert (height == 100) != (width == 50)
        assert 40 <= height <= 80 if width == 50 else 20 <= width <= 40
        sides.add((height == 100, bool(crop_partially(image)[0, 0, 0] == 0)))
    assert len(sides) == 4


def test_colours_by_the_definition(image):
    gain = torch.tensor([0.9, 1.0, 1.1]).view(3, 1, 1)
    changed = adjust_colors(image, gain, contrast=0.8, saturation=0.5)
    scaled = image * gain
    grey = 0.299 * scaled[0] + 0.587 * scaled[1] + 0.114 * scaled[2]
    expected = grey.mean() + 0.8 * (grey + 0.5 * (scaled - grey) - grey.mean())
    assert torch.allclose(changed, expected.clamp(0, 1), atol=1e-6)
    assert torch.allclose(adjust_colors(image, torch.ones(1, 1, 1), 1.0, 1.0), image, atol=1e-6)


def test_erasing_fills_one_rectangle_with_the_mean(image):
    torch.manual_seed(0)
    for _ in range(50):
        erased = erase_rectangle(image)
        changed = (erased != image).all(0)
        rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
        assert changed.sum() == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
        assert 0.01 < changed.float().mean() < 0.45
        assert torch.allclose(erased[:, changed], image.mean((1, 2))[:, None].expand(3, int(changed.sum())))


def test_strength_out_of_range():
    with pytest.raises(ValueError, match=r"^Augmentation: shift must be in \[0, 1\], got 1.5"):
        Augmentation(shift=1.5)
