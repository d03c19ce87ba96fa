"""Block grids and explanations."""

from __future__ import annotations

import pytest
import torch

from reidops_models.matching import BlockGrid, Reconstruction


def test_blocks_cover_the_map_row_by_row() -> None:
    grid = BlockGrid(height=3, width=2, size=2)
    assert (grid.rows, grid.columns, len(grid)) == (2, 1, 2)
    assert grid.box(0) == (0.0, 0.0, 1.0, 2 / 3)
    assert grid.box(1) == (0.0, 1 / 3, 1.0, 1.0)


def test_explanations_split_blocks_by_scale() -> None:
    grids = (BlockGrid(2, 2), BlockGrid(2, 2, size=2))
    explanation = Reconstruction(2.0, grids, grids, torch.arange(5.0), torch.zeros(5, 5), (32, 32), (32, 32))
    assert explanation.error_map().tolist() == [[0, 1], [2, 3]]
    assert explanation.error_map(1).tolist() == [[4]]
    assert explanation.probe_box(3) == (0.5, 0.5, 1.0, 1.0)
    assert explanation.gallery_box(4) == (0.0, 0.0, 1.0, 1.0)
    with pytest.raises(IndexError):
        explanation.probe_box(5)
