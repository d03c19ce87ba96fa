"""Pairs are what they claim: identities, cameras, scale and the order in which they come."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import Tensor

from reidops_models.data import ReidDataset, Sample, load_market1501, write_synthetic
from reidops_models.dsr import DsrRecipe
from reidops_models.dsr.pairs import DsrPairBatch, DsrPairDataModule, PairImages, cut_patches, draw_pairs
from reidops_models.dsr.recipe import FineTuning
from reidops_models.recipe import load_recipe
from reidops_models.training.data import TrainingError, TrainingImages


def people(cameras: dict[int, list[int]]) -> list[Sample]:
    """One image for each camera in the lists, by identity."""
    return [
        Sample(Path(f"{pid}_{camid}_{index}.png"), pid, camid)
        for pid, camids in cameras.items()
        for index, camid in enumerate(camids)
    ]


def test_there_are_as_many_pairs_as_asked_for_and_their_labels_are_true() -> None:
    samples = people({3: [1, 1, 2], 5: [1, 2], 9: [4]})
    pairs = draw_pairs(samples, FineTuning(positive_pairs=300, negative_pairs=200), seed=0)
    assert Counter(pair.alpha for pair in pairs) == {1: 300, -1: 200}
    for pair in pairs:
        assert pair.holistic != pair.patch
        assert (samples[pair.holistic].pid == samples[pair.patch].pid) == (pair.alpha == 1)
    assert {pair.holistic for pair in pairs if pair.alpha == 1} == {0, 1, 2, 3, 4}  # 9 has one image
    assert {pair.holistic for pair in pairs if pair.alpha == -1} == {0, 1, 2, 3, 4, 5}
    assert {pair.patch for pair in pairs if pair.alpha == -1} == {0, 1, 2, 3, 4, 5}


def test_positive_pairs_cross_cameras_where_they_can() -> None:
    samples = people({3: [1, 1, 2], 5: [6, 6], 7: [-1, 2, -1]})
    pairs = draw_pairs(samples, FineTuning(positive_pairs=300, negative_pairs=1), seed=0)
    met: dict[int, set[tuple[int, int]]] = {}
    for pair in pairs[:300]:
        first, second = samples[pair.holistic], samples[pair.patch]
        met.setdefault(first.pid, set()).add((first.camid, second.camid))
    assert met == {
        3: {(1, 2), (2, 1)},
        5: {(6, 6)},  # seen by one camera only
        7: {(-1, 2), (2, -1), (-1, -1)},  # an unknown camera may be any
    }


def test_pairs_follow_from_the_seed_alone() -> None:
    samples, options = people({3: [1, 2], 5: [1, 2, 3]}), FineTuning(positive_pairs=20, negative_pairs=20)
    first = draw_pairs(samples, options, seed=4)
    torch.rand(3)
    assert draw_pairs(samples, options, seed=4) == first
    assert draw_pairs(samples, options, seed=5) != first


def test_people_who_make_no_pairs_are_refused() -> None:
    with pytest.raises(TrainingError, match="no identity has two training images"):
        draw_pairs(people({3: [1], 5: [1]}), FineTuning(), seed=0)
    with pytest.raises(TrainingError, match="all training images show one identity"):
        draw_pairs(people({3: [1, 2]}), FineTuning(), seed=0)


def test_patches_of_a_batch_have_one_size_and_each_its_place() -> None:
    height, width = 40, 20
    rows = torch.arange(height)[:, None] * width + torch.arange(width)  # every pixel says where it is
    images = rows.expand(64, 3, height, width).float()
    options = FineTuning(patch_height=(0.25, 0.75), patch_width=(0.5, 1.0))
    torch.manual_seed(0)
    sizes, margins = set(), []
    for _ in range(40):
        patches = cut_patches(images, options)
        tall, wide = patches.shape[2:]
        assert 10 <= tall <= 30
        assert 10 <= wide <= 20
        sizes.add((tall, wide))
        for patch in patches:
            top, left = divmod(int(patch[0, 0, 0]), width)
            assert patch[0].equal(rows[top : top + tall, left : left + wide].float())  # cut, not resized
            margins.append((top, height - top - tall, left, width - left - wide))
    assert len(sizes) > 20
    assert [min(margin) for margin in zip(*margins, strict=True)] == [0, 0, 0, 0]  # all four sides are reached
    assert max(top for top, *_ in margins) > 20


def test_patches_can_be_as_large_as_the_image_and_never_empty() -> None:
    images = torch.rand(2, 3, 8, 4)
    assert cut_patches(images, FineTuning(patch_height=(1, 1), patch_width=(1, 1))).equal(images)
    assert cut_patches(images, FineTuning(patch_height=(0.01, 0.01), patch_width=(0.01, 0.01))).shape == (2, 3, 1, 1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> ReidDataset:
    root = tmp_path_factory.mktemp("people")
    write_synthetic(root, "tiny", seed=0, progress=False)
    return load_market1501(root)


def plain_recipe() -> DsrRecipe:
    """Fine-tuning without augmentation."""
    recipe = load_recipe("dsr/demo_finetune")
    assert isinstance(recipe, DsrRecipe)
    images = recipe.images.model_copy(update={"size": (64, 32), "flip": 0.0, "shift": 0.0, "jitter": 0.0})
    batches = recipe.batches.model_copy(update={"size": 8})
    pairs = FineTuning(positive_pairs=12, negative_pairs=12)
    return recipe.model_copy(update={"images": images, "batches": batches, "fine_tuning": pairs})


def test_a_batch_holds_the_images_of_its_pairs(dataset: ReidDataset) -> None:
    recipe = plain_recipe()
    images = TrainingImages(dataset.train, recipe.images)
    pairs = DsrPairDataModule(images, recipe).examples
    assert isinstance(pairs, PairImages)
    assert len(pairs) == 24
    batch = pairs.__getitems__([3, 20])
    for index, holistic, whole, label, alpha in zip([3, 20], *batch, strict=True):
        pair = pairs.pairs[index].tolist()
        assert holistic.equal(images[pair[0]][0])
        assert whole.equal(images[pair[1]][0])
        assert label == images.labels[pair[0]]
        assert alpha == (1 if images.labels[pair[0]] == images.labels[pair[1]] else -1)
    for one, several in zip(pairs[20], batch, strict=True):
        assert one.equal(several[1])


def test_holistic_images_stay_whole_and_patches_are_parts_of_the_others(dataset: ReidDataset) -> None:
    recipe = plain_recipe()
    data = DsrPairDataModule(TrainingImages(dataset.train, recipe.images), recipe)
    seen = 0
    for batch in data.train_dataloader():
        ready = data.prepare(batch)
        assert isinstance(ready, DsrPairBatch)
        assert ready.holistic.mul(255).round().to(torch.uint8).equal(batch.holistic)
        for patch, whole in zip(ready.patches.mul(255).round().to(torch.uint8), batch.patches, strict=True):
            assert contains(whole, patch)
            seen += 1
    assert seen == 24  # an epoch is all pairs


def contains(whole: Tensor, patch: Tensor) -> bool:
    """Whether the patch lies somewhere in the image, pixel for pixel."""
    tall, wide = patch.shape[1:]
    return any(
        whole[:, top : top + tall, left : left + wide].equal(patch)
        for top in range(whole.shape[1] - tall + 1)
        for left in range(whole.shape[2] - wide + 1)
    )
