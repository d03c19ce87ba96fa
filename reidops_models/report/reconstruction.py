"""The geometry and colours of one drawing: which gallery blocks rebuilt which probe block.

Three pictures side by side, and arcs between the last two:

    errors  |  probe, a colour for each block  ->  gallery, coloured by the blocks it rebuilt

Pointing at a probe block shows its own weights alone; the template does that with CSS, from what is prepared here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reidops_models.matching import BlockGrid, Explanation
from reidops_models.report.colours import css, error_colours, mixed_colours, position_colours
from reidops_models.report.pictures import data_uri, pale

HEIGHT = 240.0  # of the taller picture, in drawing units
SMALLEST = 90.0  # no picture is drawn lower than this, however small the image
GAP = 84.0  # between pictures: room for the arcs
FEWEST = 0.02  # weights below this share of a block's largest are not drawn
MOST_ARCS = 40  # drawn at rest; more only make a thicket

Place = tuple[float, float, float, float]  # x, y, width, height in drawing units


@dataclass(frozen=True)
class Frame:
    """One picture in the drawing."""

    href: str
    x: float
    y: float
    width: float
    height: float

    def places(self, grid: BlockGrid) -> list[Place]:
        """Where the blocks of a grid lie on the picture, block by block."""
        boxes = (grid.box(index) for index in range(len(grid)))
        return [
            (
                self.x + left * self.width,
                self.y + top * self.height,
                (right - left) * self.width,
                (bottom - top) * self.height,
            )
            for left, top, right, bottom in boxes
        ]


@dataclass(frozen=True)
class Cell:
    """One coloured block."""

    x: float
    y: float
    width: float
    height: float
    colour: str
    opacity: float
    label: str = ""


@dataclass(frozen=True)
class ProbeBlock:
    """A probe block: its place, the arc to the gallery block it leans on most, and all it was rebuilt from."""

    cell: Cell
    arc: str
    arc_opacity: float
    weights: list[Cell]


@dataclass(frozen=True)
class Drawing:
    """Everything the template draws."""

    width: float
    height: float
    error: Frame
    probe: Frame
    gallery: Frame
    error_cells: list[Cell]
    probe_blocks: list[ProbeBlock]
    gallery_cells: list[Cell]
    largest_error: float
    distance: float
    heat: list[str]


def draw_reconstruction(probe: Tensor, gallery: Tensor, explanation: Explanation) -> Drawing:
    """Lay out the drawing of one reconstruction.

    Args:
        probe, gallery: RGB, (3, H, W) in [0, 1], of any two sizes.
        explanation: block grids, errors (N,) and coefficients (M, N) of the pair.
    """
    frames = _frames(probe, gallery)
    probe_grid, gallery_grid = explanation.probe_grids[0], explanation.gallery_grids[0]
    locations = BlockGrid(gallery_grid.height, gallery_grid.width)
    # The finest probe blocks are drawn; they may lean on gallery blocks of every scale.
    coefficients = explanation.coefficients[:, : len(probe_grid)].detach().double().cpu().numpy()
    weights = np.abs(location_weights(coefficients, explanation.gallery_grids))
    errors = explanation.error_map(0).detach().double().cpu().numpy().reshape(-1)
    largest = float(errors.max(initial=0.0))

    colours = position_colours(probe_grid.rows, probe_grid.columns)
    mixed, strength = mixed_colours(weights, colours)
    heat = zip(frames[0].places(probe_grid), error_colours(errors, largest), errors, strict=True)
    faint = 0.75 / (largest or 1.0)  # a block rebuilt well lets the picture through, one rebuilt badly glows
    mixture = zip(frames[2].places(locations), mixed, strength, strict=True)
    return Drawing(
        width=frames[2].x + frames[2].width,
        height=max(frame.height for frame in frames),
        error=frames[0],
        probe=frames[1],
        gallery=frames[2],
        error_cells=[
            Cell(*place, css(colour), round(faint * float(error), 3), f"error {error:.3f}")
            for place, colour, error in heat
        ],
        probe_blocks=_probe_blocks(frames[1].places(probe_grid), frames[2].places(locations), weights, errors, colours),
        gallery_cells=[
            # The square root lifts faint blocks into sight.
            Cell(*place, css(colour), round(0.85 * float(share) ** 0.5, 3))
            for place, colour, share in mixture
        ],
        largest_error=largest,
        distance=explanation.distance,
        heat=[css(colour) for colour in error_colours(np.linspace(0, 1, 9), 1.0)],
    )


def location_weights(coefficients: NDArray[np.float64], grids: Sequence[BlockGrid]) -> NDArray[np.float64]:
    """Weights of blocks of several scales as weights of the map's locations.

    A k x k block is the mean of its k^2 locations, so weighing the block by w is weighing each of them by w / k^2.

    Args:
        coefficients: (M, N), the M blocks of all grids in order.
        grids: the gallery's grids, all over one map.

    Returns:
        (height * width, N) weights of the locations.
    """
    height, width = grids[0].height, grids[0].width
    folded = np.zeros((height, width, coefficients.shape[1]))
    first = 0
    for grid in grids:
        part = coefficients[first : first + len(grid)].reshape(grid.rows, grid.columns, -1) / grid.size**2
        for row in range(grid.size):
            for column in range(grid.size):
                folded[row : row + grid.rows, column : column + grid.columns] += part
        first += len(grid)
    return folded.reshape(height * width, -1)


def _frames(probe: Tensor, gallery: Tensor) -> tuple[Frame, Frame, Frame]:
    """Errors, probe, gallery, left to right, at one common scale: a partial probe looks as small as it is."""
    unit = HEIGHT / max(probe.shape[1], gallery.shape[1])
    sizes = []
    for image in (probe, probe, gallery):
        scale = max(unit, SMALLEST / image.shape[1])
        sizes.append((image.shape[2] * scale, image.shape[1] * scale))
    pictures = [data_uri(pale(image), 360) for image in (probe, gallery)]
    frames, x = [], 0.0
    for href, (width, height) in zip((pictures[0], *pictures), sizes, strict=True):
        frames.append(Frame(href, x, 0.0, width, height))
        x += width + GAP
    return frames[0], frames[1], frames[2]


def _probe_blocks(
    places: list[Place],
    gallery_places: list[Place],
    weights: NDArray[np.float64],
    errors: NDArray[np.float64],
    colours: NDArray[np.float64],
) -> list[ProbeBlock]:
    heaviest = weights.max(axis=0, initial=0.0)
    # At rest only the surest arcs are drawn, the rest appears when their block is pointed at.
    faintest = np.sort(heaviest)[::-1][:MOST_ARCS][-1] if heaviest.size else 0.0
    top = float(heaviest.max(initial=0.0)) or 1.0
    blocks = []
    for index, place in enumerate(places):
        column, colour = weights[:, index], css(colours[index])
        used = [int(m) for m in np.argsort(-column, kind="stable") if column[m] > FEWEST * heaviest[index]]
        label = f"error {errors[index]:.3f}, rebuilt from {len(used)} block{'s' if len(used) != 1 else ''}"
        cells = [
            Cell(*gallery_places[m], colour, round(float(column[m] / heaviest[index]), 3), f"{column[m]:.2f}")
            for m in used
        ]
        shown = used and heaviest[index] >= faintest
        blocks.append(
            ProbeBlock(
                cell=Cell(*place, colour, 0.6, label),
                arc=_arc(place, gallery_places[used[0]]) if used else "",
                arc_opacity=round(0.15 + 0.75 * float(heaviest[index]) / top, 3) if shown else 0.0,
                weights=cells,
            )
        )
    return blocks


def _arc(start: Place, end: Place) -> str:
    """SVG path from the centre of one block to the centre of another, level at both ends."""
    (x0, y0), (x1, y1) = ((x + width / 2, y + height / 2) for x, y, width, height in (start, end))
    middle = (x0 + x1) / 2
    return f"M{x0:.1f} {y0:.1f}C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
