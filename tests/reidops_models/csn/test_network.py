"""Table 1's layers, the stripes and the parts."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import reidops
from reidops_models.csn import CsnNetwork
from reidops_models.csn.modules import ConvolutionSimilarityNetwork, stripe_rows
from reidops_models.csn.network import CONV4, CONV6
from reidops_models.csn.recipe import NetworkOptions
from tests.reidops_models.csn.conftest import Tiny, trained

PAPER_SIZE = (160, 60)


def build(**options: object) -> CsnNetwork:
    return CsnNetwork(NetworkOptions(**options), PAPER_SIZE).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("levels", "maps", "parts"),
    [
        ((2, 3), [(40, 15), (20, 8)], [10, 5]),
        ((2,), [(40, 15)], [10]),
        ((3,), [(20, 8)], [5]),
        ((4,), [(20, 8)], [5]),
        ((2, 3, 4), [(40, 15), (40, 15), (20, 8)], [10, 5, 5]),
    ],
)
def test_sizes_of_maps_and_parts(levels: tuple[int, ...], maps: list[tuple[int, int]], parts: list[int]) -> None:
    network = build(levels=levels)
    described = network.describe(torch.rand(2, 3, *PAPER_SIZE))
    assert [tuple(one.shape) for one in described.maps] == [(2, 96, *size) for size in maps]
    assert [tuple(one.shape) for one in described.parts] == [(2, 3, 96, f, f) for f in parts]
    assert network.conv4.convolution.in_channels == 6 * 96 * len(levels)
    assert network.compare(described[:1], described[1:]).shape == (1, 2)
    assert {size for size, pooled in zip(network.map_sizes, network.pooled, strict=True) if pooled} <= {(40, 15)}


def test_layers_of_table_1() -> None:
    network = build()
    found = [
        (layer.convolution.kernel_size[0], layer.convolution.in_channels, layer.convolution.out_channels, layer.pooled)
        for layer in (*network.trunk, network.conv4, network.conv5, network.conv6)  # type: ignore[misc]
    ]
    assert found == [
        (5, 3, 32, True),
        (3, 32, 96, True),
        (3, 96, 96, True),
        (1, 1152, CONV4, False),
        (3, CONV4, 32, True),
        (1, 32, CONV6, False),
    ]
    localisation = network.similarity[0].localisation
    assert localisation is not None
    shapes = [tuple(layer.weight.shape) for layer in localisation.modules() if isinstance(layer, nn.Conv2d)]
    assert shapes == [(32, 96, 3, 3), (32, 32, 3, 3), (128, 32, 1, 1)]


def test_stripes_overlap_by_half() -> None:
    assert stripe_rows(40, 3) == [(0, 20), (10, 30), (20, 40)]
    assert stripe_rows(20, 3) == [(0, 10), (5, 15), (10, 20)]
    assert [bottom - top for top, bottom in stripe_rows(13, 3)] == [7, 7, 7]
    assert stripe_rows(13, 3)[-1] == (6, 13)


def test_a_part_starts_as_the_middle_of_its_stripe() -> None:
    """f x f of the stripe's own pixels: sampled between pixels only where the middle lies there."""
    maps = torch.rand(1, 4, 40, 16)
    for learnt in (True, False):
        network = ConvolutionSimilarityNetwork(4, (40, 16), 10, learnt=learnt).eval()
        parts, _ = network.parts(maps)
        for stripe, (top, _) in enumerate(network.rows):
            torch.testing.assert_close(parts[0, stripe], maps[0, :, top + 5 : top + 15, 3:13], rtol=0, atol=1e-5)


def test_a_fixed_part_has_nothing_to_learn() -> None:
    network = build(localisation="central")
    assert not [name for name, _ in network.similarity.named_parameters()]  # type: ignore[attr-defined]


def test_score_maps_are_equation_2(tiny: Tiny) -> None:
    network = trained(tiny()).network
    assert isinstance(network, CsnNetwork)
    described = network.describe(torch.rand(2, 3, *network.image_size))
    one, other = described[:1], described[1:]
    for level, maps in enumerate(network.score_maps(one, other)):
        for part in range(network.stripes):
            forth = reidops.depthwise_xcorr(other.maps[level], one.parts[level][:, part])
            back = reidops.depthwise_xcorr(one.maps[level], other.parts[level][:, part])
            torch.testing.assert_close(maps[:, 0, part], forth)
            torch.testing.assert_close(maps[:, 1, part], back)


def test_vectors_have_unit_length_and_are_of_the_image_alone(tiny: Tiny) -> None:
    network = trained(tiny()).network
    assert isinstance(network, CsnNetwork)
    images = torch.rand(3, 3, *network.image_size)
    vectors = network.describe(images).vectors
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(network.describe(images[1:2]).vectors[0], vectors[1], rtol=1e-4, atol=1e-5)


def test_corners_lie_where_the_part_was_sampled() -> None:
    network = build(localisation="central")
    corners = network.corners(network.describe(torch.rand(1, 3, *PAPER_SIZE)))[0][0]
    # Of 40x15, the middle 10x10 of rows [10, 30): rows 15 to 25, columns 2.5 to 12.5.
    expected = torch.tensor([[2.5 / 15, 15 / 40], [12.5 / 15, 15 / 40], [12.5 / 15, 25 / 40], [2.5 / 15, 25 / 40]])
    torch.testing.assert_close(corners[1], expected)


def test_levels_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="the lowest first"):
        NetworkOptions(levels=(3, 2))
    with pytest.raises(ValueError, match="the lowest first"):
        NetworkOptions(levels=(2, 2))
