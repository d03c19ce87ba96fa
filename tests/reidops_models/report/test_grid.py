"""Images in a grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from reidops_models.report import draw_grid


def test_a_grid_of_images(tmp_path: Path) -> None:
    red, green = (torch.zeros(3, 64, 32).index_fill(0, torch.tensor([i]), 1.0) for i in (0, 1))
    path = draw_grid([[red, green], [None, red]], ["one", "two"], tmp_path / "deep" / "grid.png")
    with Image.open(path) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    quarters = [pixels[height * r // 8, width * c // 4] for r, c in ((3, 1), (3, 3), (6, 1), (6, 3))]
    assert [tuple(value) for value in quarters] == [(255, 0, 0), (0, 255, 0), (255, 255, 255), (255, 0, 0)]
    with pytest.raises(ValueError, match=r"draw_grid: expected rows of 2 images, got \[1\]"):
        draw_grid([[red]], ["one", "two"], path)
