"""Explanations: block grids, and the panels that each kind draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reidops_models.matching import (
    Alignment,
    BlockGrid,
    Explanation,
    LocatedRegions,
    PartAttention,
    Reconstruction,
    ScoreMaps,
)
from reidops_models.matching.explanations.reconstruction import location_weights

HALF = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])  # the lower half
PRESENCE = torch.tensor([[0.1, 1.4, 0.49, 2.01], [0.3, 1.2, 1.2, 1.6]])  # parts 1 and 3: a quarter less
NAMES = ("head", "legs", "whole body")


def image(height: int = 128, width: int = 64) -> torch.Tensor:
    return torch.rand(3, height, width)


def alignment(theta: torch.Tensor = HALF, align_corners: bool = False) -> Alignment:
    return Alignment(0.25, theta, image(64, 32), image(64, 32), image(64, 32), align_corners)


def attention(presence: torch.Tensor | None = PRESENCE) -> PartAttention:
    return PartAttention(0.125, image(), image(), torch.rand(2, 4, 8, 4), presence)


def regions() -> LocatedRegions:
    boxes = torch.tensor([[[0.25, 0.0, 0.75, 0.25], [0.0, 0.5, 1.0, 1.0], [-9.0, -9.0, 9.0, 9.0]]]).repeat(2, 1, 1)
    return LocatedRegions(0.125, image(), image(), NAMES, boxes)


def score_maps(parts: int = 3) -> ScoreMaps:
    levels = ("level 2", "level 3")
    maps = {level: torch.rand(parts, 8, 4) for level in levels}
    return ScoreMaps(
        -1.5, "one person: 90 %", image(), image(), maps, {level: torch.rand(parts, 4, 2) for level in levels}
    )


def reconstruction() -> Reconstruction:
    """A 3x2 probe in a 4x2 gallery map; block n is rebuilt from gallery block n alone, the last one from nothing."""
    coefficients = torch.zeros(8, 6)
    coefficients[torch.arange(5), torch.arange(5)] = 0.8
    error = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4, 1.0])
    return Reconstruction(
        1 / 3, (BlockGrid(3, 2),), (BlockGrid(4, 2),), error, coefficients, image(48, 32), image(64, 32)
    )


EVERY: list[Explanation] = [alignment(), attention(), regions(), score_maps(), reconstruction()]


def test_blocks_cover_the_map_row_by_row() -> None:
    grid = BlockGrid(height=3, width=2, size=2)
    assert (grid.rows, grid.columns, len(grid)) == (2, 1, 2)
    assert grid.box(0) == (0.0, 0.0, 1.0, 2 / 3)
    assert grid.box(1) == (0.0, 1 / 3, 1.0, 1.0)


def test_explanations_split_blocks_by_scale() -> None:
    grids = (BlockGrid(2, 2), BlockGrid(2, 2, size=2))
    explanation = Reconstruction(2.0, grids, grids, torch.arange(5.0), torch.zeros(5, 5), image(32, 32), image(32, 32))
    assert explanation.error_map().tolist() == [[0, 1], [2, 3]]
    assert explanation.error_map(1).tolist() == [[4]]
    assert explanation.probe_box(3) == (0.5, 0.5, 1.0, 1.0)
    assert explanation.gallery_box(4) == (0.0, 0.0, 1.0, 1.0)
    with pytest.raises(IndexError):
        explanation.probe_box(5)


@pytest.mark.parametrize("explanation", EVERY, ids=lambda explanation: type(explanation).__name__)
def test_every_explanation_has_facts_and_panels(explanation: Explanation) -> None:
    assert explanation.facts
    assert explanation.title
    panels = explanation.panels()
    assert len(panels) > 1
    assert all(panel.caption and panel.image.ndim == 3 for panel in panels)
    heats = [panel.heat for panel in panels if panel.heat is not None]
    assert all(float(heat.min()) >= 0 and float(heat.max()) <= 1 for heat in heats)


def test_the_outline_is_what_theta_samples() -> None:
    gallery, affined, probe = alignment().panels()
    (outline,) = gallery.outlines
    assert outline.points == ((0, 0.5), (1, 0.5), (1, 1), (0, 1))
    assert affined.outlines == probe.outlines == ()


def test_corners_of_both_conventions() -> None:
    assert alignment(torch.eye(2, 3)).corners() == [(0, 0), (1, 0), (1, 1), (0, 1)]
    # The whole image is the whole image, wherever -1 and 1 are taken to be.
    whole = np.array(alignment(torch.eye(2, 3), align_corners=True).corners())
    assert np.abs(whole - [(0, 0), (1, 0), (1, 1), (0, 1)]).max() < 1e-6
    # A shift by one pixel of 32: 2/31 between the centres of the corner pixels, 2/32 between the edges.
    for aligned, step in ((True, 2 / 31), (False, 2 / 32)):
        shifted = alignment(torch.tensor([[1.0, 0.0, step], [0.0, 1.0, 0.0]]), aligned).corners()
        assert shifted[0][0] == pytest.approx(1 / 32, abs=1e-6)


def test_a_row_for_each_level_shares_its_colours() -> None:
    panels = score_maps().panels()
    assert [panel.starts_row for panel in panels] == [True, False, False, False] * 2
    assert [panel.caption for panel in panels[:4]] == ["probe, level 2", "upper part", "middle part", "lower part"]
    assert len(panels[0].outlines) == 3
    for row in (panels[1:4], panels[5:]):
        heats = torch.stack([panel.heat for panel in row if panel.heat is not None])
        assert (float(heats.min()), float(heats.max())) == (0, 1)
    assert [panel.caption for panel in score_maps(parts=2).panels()[1:3]] == ["part 1", "part 2"]


def test_two_rows_of_the_image_and_its_parts() -> None:
    panels = attention().panels()
    assert len(panels) == 2 * (1 + 4)
    assert [panel.caption for panel in panels[:5]] == ["probe", "part 1", "part 2", "part 3", "part 4"]
    assert [panel.note for panel in panels[1:5]] == ["0.10", "1.40", "0.49", "2.01"]
    assert [bool(panel.outlines) for panel in panels] == [False, True, False, True] + [False] * 6
    assert [panel.starts_row for panel in panels] == [True, False, False, False, False] * 2


def test_facts_name_the_hidden_parts_of_the_probe() -> None:
    assert attention().facts == ("distance 0.1250; parts 1, 3 believed hidden (a quarter less weight than in rank 1)")
    assert "; no part believed hidden" in attention(PRESENCE.flip(0)).facts
    assert attention(None).facts == "distance 0.1250"
    assert not any(panel.outlines or panel.note for panel in attention(None).panels())


def test_a_map_of_zeros_is_drawn() -> None:
    dark = PartAttention(0.0, image(), image(), torch.zeros(2, 4, 8, 4), None)
    assert len(dark.panels()) == 10


def test_boxes_lie_where_they_are() -> None:
    probe, gallery = regions().panels()
    for panel in (probe, gallery):
        head, legs, far = panel.outlines
        assert head.points == ((0.25, 0), (0.75, 0), (0.75, 0.25), (0.25, 0.25))
        assert legs.points == ((0, 0.5), (1, 0.5), (1, 1), (0, 1))
        assert far.points[0] == (-9, -9)
        assert [outline.label for outline in panel.outlines] == list(NAMES)
        assert len({outline.colour for outline in panel.outlines}) == 3


def test_blocks_give_their_colours_to_what_rebuilt_them() -> None:
    errors, probe, gallery = reconstruction().panels()
    assert len(errors.marks) == 6
    assert errors.marks[0].opacity == 0
    assert errors.scale is not None
    assert (errors.scale.low, errors.scale.high) == ("0", "1.00")
    # Each block leans on the gallery block of the same place, whose colour is therefore its own.
    for block, mark in list(zip(probe.blocks, gallery.marks, strict=False))[:5]:
        assert [used.box for used in block.leans_on] == [mark.box]
        assert mark.colour == block.mark.colour
    assert probe.blocks[5].leans_on == ()
    assert {mark.opacity for mark in gallery.marks[5:]} == {0.0}


def test_every_block_size_has_its_error_map() -> None:
    grids = (BlockGrid(4, 3), BlockGrid(4, 3, 2), BlockGrid(4, 3, 3))
    count = sum(map(len, grids))
    error = torch.linspace(0, 2, count)
    explanation = Reconstruction(1.0, grids, grids, error, torch.rand(count, count), image(64, 48), image(64, 48))
    maps = explanation.panels()[:-2]
    assert [panel.caption for panel in maps] == [f"error, {size}x{size} blocks" for size in (1, 2, 3)]
    assert [len(panel.marks) for panel in maps] == [12, 6, 2]
    assert maps[0].scale is not None  # one scale of colours for all
    assert maps[0].scale.high == "2.00"
    labels = [mark.label for panel in maps for mark in panel.marks]
    assert labels == [f"error {value:.3f}" for value in error.tolist()]
    # The middle of the first 3x3 block, on a map of 4x3, is location (1, 1).
    left, top, right, bottom = maps[2].marks[0].box
    assert (left, top) == pytest.approx((1 / 3, 1 / 4))
    assert (right, bottom) == pytest.approx((2 / 3, 2 / 4))


def test_several_block_sizes_show_the_finest_probe_blocks() -> None:
    grids = (BlockGrid(3, 3), BlockGrid(3, 3, 2))
    explanation = Reconstruction(0.1, grids, grids, torch.rand(13), torch.rand(13, 13), image(48, 48), image(48, 48))
    probe, gallery = explanation.panels()[-2:]
    assert len(probe.blocks) == 9
    assert len(gallery.marks) == 9


def test_location_weights_are_the_poolings_transpose() -> None:
    grids = (BlockGrid(4, 3), BlockGrid(4, 3, 2), BlockGrid(4, 3, 3))
    maps = torch.rand(5, 4, 3, dtype=torch.float64)
    atoms = torch.cat([torch.nn.functional.avg_pool2d(maps, grid.size, stride=1).flatten(1) for grid in grids], dim=1)
    coefficients = torch.rand(sum(map(len, grids)), 7, dtype=torch.float64)
    folded = location_weights(coefficients.numpy(), grids)
    np.testing.assert_allclose(maps.flatten(1).numpy() @ folded, (atoms @ coefficients).numpy(), rtol=1e-12)
