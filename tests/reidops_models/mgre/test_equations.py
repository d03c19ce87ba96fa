"""Every equation of the paper against a loop written from it, in float64, with gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from reidops_models.mgre.losses import location_loss
from reidops_models.mgre.modules import LocationModule, sample_regions
from reidops_models.mgre.network import MgreNetwork
from reidops_models.mgre.recipe import NetworkOptions
from reidops_models.mgre.regions import MARGIN, REGIONS, region_boxes, regions_of


def sampled_by_hand(maps: Tensor, centre: Tensor, length: Tensor, size: tuple[int, int]) -> Tensor:
    """Eq. 4 and 5 for one image: maps U (C, H, W), the centre (c_x, c_y) as shares, (l_1, l_2) in pixels of the map."""
    channels, height, width = maps.shape
    rows, columns = size
    out = []
    for i in range(rows):
        for j in range(columns):
            x = centre[0] * width + (j + 0.5 - columns / 2) * length[0] / columns
            y = centre[1] * height + (i + 0.5 - rows / 2) * length[1] / rows
            value = maps.new_zeros(channels)
            for n in range(height):
                for m in range(width):
                    weight = (1 - (x - (m + 0.5)).abs()).clamp(min=0) * (1 - (y - (n + 0.5)).abs()).clamp(min=0)
                    value = value + maps[:, n, m] * weight
            out.append(value)
    return torch.stack(out, dim=1).view(channels, rows, columns)


def boxes_of(centre: Tensor, length: Tensor, width: int, height: int) -> Tensor:
    """Eq. 2, in shares of the map."""
    half = length / torch.tensor([width, height]) / 2
    return torch.cat((centre - half, centre + half), dim=-1)


@pytest.mark.parametrize("size", [(3, 2), (4, 4), (1, 2)])
@pytest.mark.parametrize("seed", range(3))
def test_eq_4_and_5_with_the_gradients_of_all_four_parameters(size: tuple[int, int], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    height, width = 6, 5
    maps = torch.randn(2, 3, height, width, dtype=torch.float64, generator=generator, requires_grad=True)
    centre = (0.2 + 0.6 * torch.rand(2, 1, 2, dtype=torch.float64, generator=generator)).requires_grad_()
    length = (1 + 5 * torch.rand(2, 1, 2, dtype=torch.float64, generator=generator)).requires_grad_()
    weight = torch.randn(2, 3, *size, dtype=torch.float64, generator=generator)

    (found,) = sample_regions(maps, boxes_of(centre, length, width, height), [size])
    expected = torch.stack([sampled_by_hand(maps[b], centre[b, 0], length[b, 0], size) for b in range(2)])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    ours = torch.autograd.grad((found * weight).sum(), (maps, centre, length))
    theirs = torch.autograd.grad((expected * weight).sum(), (maps, centre, length))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
    assert all(gradient.abs().sum() > 0 for gradient in ours)


def test_regions_of_several_sizes_come_back_in_order() -> None:
    torch.manual_seed(0)
    maps = torch.rand(2, 3, 8, 6, dtype=torch.float64)
    corners = torch.rand(2, 4, 2, dtype=torch.float64) / 2
    boxes = torch.cat((corners, corners + 0.4), dim=2)
    sizes = [(2, 3), (4, 2), (2, 3), (1, 1)]
    for region, found in enumerate(sample_regions(maps, boxes, sizes)):
        (alone,) = sample_regions(maps, boxes[:, region : region + 1], [sizes[region]])
        assert found.shape == (2, 3, *sizes[region])
        torch.testing.assert_close(found, alone)


def test_a_box_of_the_sampled_size_is_a_crop() -> None:
    maps = torch.rand(1, 2, 8, 6, dtype=torch.float64)
    box = torch.tensor([[[1 / 6, 2 / 8, 4 / 6, 6 / 8]]], dtype=torch.float64)
    torch.testing.assert_close(sample_regions(maps, box, [(4, 3)])[0], maps[:, :, 2:6, 1:4])


def test_nothing_lies_beyond_the_edges() -> None:
    maps = torch.ones(1, 1, 4, 4)
    assert float(sample_regions(maps, torch.tensor([[[2.0, 2.0, 3.0, 3.0]]]), [(2, 2)])[0].abs().max()) == 0


def test_eq_1_and_2() -> None:
    torch.manual_seed(0)
    regions = regions_of(1)
    module = LocationModule(4, (16, 8), regions, [(2, 2), (8, 4), (8, 4), (6, 8)], width=5).double().eval()
    torch.nn.init.normal_(module.linear.weight, std=0.5)
    maps = torch.randn(3, 4, 16, 8, dtype=torch.float64)
    boxes = module(maps)
    inputs = module.pool(module.norm(module.convolution(maps).relu())).flatten(1)
    numbers = module.linear(inputs / inputs.shape[1] ** 0.5).view(3, 4, 4)
    for b in range(3):
        for r, region in enumerate(regions):
            x = region.centre[0] + math.tanh(numbers[b, r, 0].item())
            y = region.centre[1] + math.tanh(numbers[b, r, 1].item())
            wide, tall = math.exp(numbers[b, r, 2].item()), math.exp(numbers[b, r, 3].item())
            expected = [x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2]
            assert boxes[b, r].tolist() == pytest.approx(expected, abs=1e-6)


def test_location_starts_at_table_1() -> None:
    network = MgreNetwork(NetworkOptions(backbone="resnet50_ibn_a_slim"), (256, 128), 4).eval()
    with torch.inference_mode():
        boxes = network.describe(torch.rand(1, 3, 256, 128)).boxes
    maps = {1: (64, 32), 2: (32, 16), 3: (16, 8)}
    for stage, (height, width) in maps.items():
        for region, (left, top, right, bottom) in zip(regions_of(stage), boxes[stage][0].tolist(), strict=True):
            assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx(region.centre, abs=1e-6)
            assert (bottom - top) * height == pytest.approx(region.size[0], rel=1e-5)
            assert (right - left) * width == pytest.approx(region.size[1], rel=1e-5)


def test_eq_3_by_hand() -> None:
    torch.manual_seed(0)
    poses = torch.cat((torch.rand(3, 17, 2, dtype=torch.float64), torch.ones(3, 17, 1, dtype=torch.float64)), dim=2)
    targets, there = region_boxes(poses, REGIONS)
    boxes = torch.rand(3, len(REGIONS), 4, dtype=torch.float64)
    total = 0.0
    for b in range(3):
        for r, region in enumerate(REGIONS):
            xs = [float(poses[b, joint, 0]) for joint in region.joints]
            ys = [float(poses[b, joint, 1]) for joint in region.joints]
            left, top, right, bottom = boxes[b, r].tolist()
            total += (left - min(xs) + 0.05) ** 2 + (right - max(xs) - 0.05) ** 2
            total += (top - min(ys) + 0.05) ** 2 + (bottom - max(ys) - 0.05) ** 2
    assert there.all()
    assert float(location_loss(boxes, targets, there)) == pytest.approx(total / (3 * len(REGIONS)), rel=1e-10)


def test_regions_without_joints_are_masked_and_have_no_gradient() -> None:
    pose = torch.zeros(1, 17, 3)
    pose[0, :5] = torch.tensor([0.5, 0.1, 2.0])  # the head alone
    pose[0, 11] = torch.tensor([0.4, 0.6, 1.0])  # and one hip
    targets, there = region_boxes(pose, REGIONS)
    assert there[0].tolist() == [True, False, False, False, False, False, True]
    assert targets[0, 0].tolist() == pytest.approx([0.5 - MARGIN, 0.1 - MARGIN, 0.5 + MARGIN, 0.1 + MARGIN])
    boxes = torch.rand(1, 7, 4, requires_grad=True)
    location_loss(boxes, targets, there).backward()
    assert boxes.grad is not None
    assert boxes.grad[0, 1:6].abs().sum() == 0
    assert boxes.grad[0, 0].abs().sum() > 0
    assert location_loss(boxes, targets, torch.zeros_like(there)).item() == 0


def test_joints_outside_the_image_do_not_count() -> None:
    pose = torch.full((1, 17, 3), 2.0)
    pose[0, :2, :2] = 0.5
    _, there = region_boxes(pose, REGIONS[:2])
    assert there[0].tolist() == [True, False]


def test_every_region_has_its_joints() -> None:
    joints = {region.name: set(region.joints) for region in REGIONS}
    assert joints["head"] == set(range(5))
    assert joints["left half of the torso"] == {5, 7, 9, 11}
    assert joints["right half of the torso"] == {6, 8, 10, 12}
    assert joints["legs"] == joints["lower body"] == set(range(11, 17))
    assert joints["upper body"] == set(range(5, 13))
    assert joints["whole body"] == set(range(17))


def test_eq_6_weights_features_of_unit_length() -> None:
    torch.manual_seed(0)
    network = MgreNetwork(NetworkOptions(backbone="resnet50_ibn_a_slim", dimensions=8), (64, 32), 4).eval()
    features = {stage: torch.randn(2, 8) for stage in (1, 2, 3, 4)}
    final = network.combine(features)
    for b in range(2):
        expected = torch.cat(
            [
                weight * features[stage][b] / features[stage][b].norm()
                for stage, weight in zip((1, 2, 3, 4), (0.35, 0.5, 0.7, 0.8), strict=True)
            ]
        )
        torch.testing.assert_close(final[b], expected / expected.norm())


@pytest.mark.parametrize("shapes", [((2, 3, 4), (2, 3, 4), (2, 4)), ((2, 3, 2), (2, 3, 2), (2, 3))])
def test_location_loss_refuses_what_does_not_match(shapes: tuple[tuple[int, ...], ...]) -> None:
    boxes, targets, there = (torch.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match=r"location_loss: expected boxes and targets \(B, R, 4\) and there \(B, R\)"):
        location_loss(boxes, targets, there.bool())
