from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from reidops_models.data import (
    Augmentation,
    DatasetError,
    ImageError,
    Sample,
    TrainingSet,
    build_pk_sampler,
    read_image,
)


@pytest.fixture
def samples(tmp_path):
    """Three identities with 4, 2 and 3 pictures of two sizes."""
    rng, found = np.random.default_rng(0), []
    for index, pid in enumerate([9, 9, 4, 17, 9, 4, 17, 17, 9]):
        path = tmp_path / f"{index}.png"
        Image.fromarray(rng.integers(0, 256, (16, 8 + index % 2, 3), np.uint8)).save(path)
        found.append(Sample(path, pid, 1))
    return found


@pytest.mark.parametrize("cache", [False, True])
def test_items(samples, cache):
    dataset = TrainingSet(samples, 16, 8, cache=cache)
    assert (len(dataset), dataset.classes, dataset.pids) == (9, 3, [4, 9, 17])
    assert dataset.labels == [1, 1, 0, 2, 1, 0, 2, 2, 1]
    for _ in range(2):
        image, label = dataset[0]
        assert label == 1
        assert torch.equal(image, read_image(samples[0].path))
        image.zero_()  # what a caller does to an item stays with the caller
    assert [image.shape for image, _ in dataset] == [(3, 16, 8)] * 9


def test_a_cached_picture_is_read_once(samples):
    dataset = TrainingSet(samples, 16, 8, cache=True)
    image, _ = dataset[1]
    samples[1].path.unlink()
    assert torch.equal(dataset[1][0], image)


def test_augmentation_is_drawn_anew_and_repeats_with_the_seed(samples):
    dataset = TrainingSet(samples, 16, 8, Augmentation(), cache=True)
    torch.manual_seed(0)
    first, second = dataset[0][0], dataset[0][0]
    torch.manual_seed(0)
    assert torch.equal(dataset[0][0], first)
    assert not torch.equal(first, second)


def test_no_samples_and_unknown_identities():
    with pytest.raises(DatasetError, match="no training pictures"):
        TrainingSet([], 16, 8)
    with pytest.raises(DatasetError, match=r"a.jpg has no identity to learn from"):
        TrainingSet([Sample(Path("a.jpg"))], 16, 8)


def test_an_unreadable_picture_is_named(samples):
    samples[2].path.write_bytes(b"")
    with pytest.raises(ImageError, match=r"2.png: the file is empty"):
        TrainingSet(samples, 16, 8)[2]


def test_pk_batches(samples):
    dataset = TrainingSet(samples, 16, 8)
    sampler = build_pk_sampler(dataset.labels, identities=2, images=3, length=12)
    batches = [labels.tolist() for _, labels in DataLoader(dataset, batch_size=6, sampler=sampler)]
    assert len(batches) == 2
    for labels in batches:
        assert sorted(Counter(labels).values()) == [3, 3]


@pytest.mark.parametrize(
    ("identities", "images", "length", "message"),
    [
        (4, 2, None, "expected 1 <= identities <= 3 and images >= 1, got 4, 2"),
        (2, 0, None, "expected 1 <= identities <= 3 and images >= 1, got 2, 0"),
        (3, 4, None, r"length must be at least identities \* images = 12, got 9"),
    ],
)
def test_pk_errors(identities, images, length, message):
    with pytest.raises(ValueError, match=f"^build_pk_sampler: {message}"):
        build_pk_sampler([1, 1, 0, 2, 1, 0, 2, 2, 1], identities, images, length)
