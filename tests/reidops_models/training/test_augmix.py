"""AugMix: every operation by its definition, and mixtures that stay images."""

from __future__ import annotations

import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor

from reidops_models.recipe import Images
from reidops_models.training import augmix as module
from reidops_models.training.augment import augment
from reidops_models.training.augmix import OPERATIONS, augmix


@pytest.fixture
def images() -> Tensor:
    torch.manual_seed(0)
    return (torch.rand(24, 3, 20, 12) * 0.6 + 0.1).mul(255).round() / 255


def test_no_image_chosen_changes_nothing(images: Tensor) -> None:
    assert augmix(images, 0.0).equal(images)


def test_about_half_of_the_images_are_mixed(images: Tensor) -> None:
    mixed = augmix(images, 0.5)
    changed = (mixed != images).flatten(1).any(dim=1)
    assert 4 <= int(changed.sum()) <= 20
    assert ((mixed >= 0) & (mixed <= 1)).all()


def test_mixtures_lie_between_the_image_and_its_variations(images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """With chains that all give the negative, x' = (1 - m) x + m (1 - x), one m for each image."""
    monkeypatch.setattr(module, "OPERATIONS", (lambda some, amount: 1 - some,))
    monkeypatch.setattr(module, "DEPTH", 1)
    share = (augmix(images, 1.0) - images) / (1 - 2 * images)
    middle = share.flatten(1).median(dim=1).values
    far = (images - 0.5).abs() > 0.05  # where the negative differs
    assert (((share - middle.view(-1, 1, 1, 1)).abs() < 1e-4) | ~far).all()
    assert ((middle >= 0) & (middle <= 1)).all()
    assert middle.std() > 0.1


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.__name__)
def test_operations_give_images_and_mean_nothing_at_zero(operation: module.Operation, images: Tensor) -> None:
    strong = operation(images, torch.ones(len(images)))
    assert strong.shape == images.shape
    assert ((strong >= 0) & (strong <= 1)).all()
    assert not torch.allclose(strong, images, atol=0.05)
    geometric = operation.__name__ in ("rotate", "shear_x", "shear_y", "translate_x", "translate_y", "solarize")
    if geometric:
        torch.testing.assert_close(operation(images, torch.zeros(len(images))), images, atol=1e-5, rtol=0)


def test_autocontrast_is_pillows(images: Tensor) -> None:
    ours = module.autocontrast(images[:1], torch.zeros(1))[0]
    theirs = torch.tensor(list(ImageOps.autocontrast(pillow(images[0])).tobytes())).view(20, 12, 3).permute(2, 0, 1)
    torch.testing.assert_close(ours, theirs / 255, atol=1.01 / 255, rtol=0)


def test_equalize_by_its_definition(images: Tensor) -> None:
    ours = module.equalize(images[:1], torch.zeros(1))[0, 1]
    channel = images[0, 1]
    least = (channel == channel.min()).float().mean()
    for value, found in zip(channel.flatten()[:40], ours.flatten()[:40], strict=True):
        expected = ((channel <= value).float().mean() - least) / (1 - least)
        assert float(found) == pytest.approx(float(expected), abs=1e-5)


def test_constant_channels_stay() -> None:
    flat = torch.full((2, 3, 8, 4), 0.4)
    for operation in (module.autocontrast, module.equalize):
        torch.testing.assert_close(operation(flat, torch.zeros(2)), flat)


def test_solarize_and_posterize() -> None:
    ramp = torch.linspace(0, 1, 11).view(1, 1, 1, 11).expand(1, 3, 4, 11)
    assert module.solarize(ramp, torch.tensor([0.45]))[0, 0, 0].tolist() == pytest.approx(
        [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0], abs=1e-6
    )
    assert set(module.posterize(ramp, torch.ones(1))[0, 0, 0].tolist()) == {0.0, 0.5}


def test_translations_move_by_a_third_at_most() -> None:
    ramp = torch.arange(12.0).div(12).view(1, 1, 1, 12).expand(64, 3, 4, 12)
    moved = module.translate_x(ramp, torch.ones(64))[:, 0, 0, 6] - ramp[:, 0, 0, 6]
    assert sorted({round(12 * value) for value in moved.tolist()}) == [-4, 4]


def test_recipes_switch_it_on(images: Tensor) -> None:
    options = Images(size=(20, 12), flip=0.0, augmix=1.0)
    torch.manual_seed(3)
    varied = augment(images, options)
    torch.manual_seed(3)
    assert varied.equal(augmix(images, 1.0))


def pillow(image: Tensor) -> Image.Image:
    return Image.fromarray((image * 255).round().byte().permute(1, 2, 0).numpy(), "RGB")
