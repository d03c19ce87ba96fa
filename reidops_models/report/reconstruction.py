"""The geometry and colours of one drawing: which gallery blocks rebuilt which probe block.

Pictures side by side, and arcs between the last two:

    errors, a heat map for each block size  |  probe, a colour for each block  ->  gallery, coloured by what it rebuilt

The heat maps of a probe that is wider than tall stand one under the other.
Pointing at a probe block shows its own weights alone; the template does that with CSS, from what is prepared here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reidops_models.matching import BlockGrid, Reconstruction
from reidops_models.report.colours import css, error_colours, mixed_colours, position_colours
from reidops_models.report.pictures import data_uri, pale

HEIGHT = 240.0  # of the taller picture, in drawing units
WIDTH = 260.0  # that no picture is drawn beyond
SMALLEST = 90.0  # of the longer side, however small the image
GAP = 84.0  # between pictures: room for the arcs
NARROW = 14.0  # between heat maps side by side
BELOW = 30.0  # between heat maps one under the other: room for a caption
OPAQUE = 0.75  # the worst block of a heat map; one rebuilt well lets the picture through
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
class HeatMap:
    """The errors of the blocks of one size, each drawn at the location in its middle."""

    frame: Frame
    caption: str
    cells: list[Cell]


@dataclass(frozen=True)
class Drawing:
    """Everything the template draws."""

    width: float
    height: float
    heat_maps: list[HeatMap]
    probe: Frame
    gallery: Frame
    probe_blocks: list[ProbeBlock]
    gallery_cells: list[Cell]
    largest_error: float
    distance: float
    heat: list[tuple[str, float]]  # colours and opacities of the scale, from 0 to the largest error


def draw_reconstruction(probe: Tensor, gallery: Tensor, explanation: Reconstruction) -> Drawing:
    """Lay out the drawing of one reconstruction.

    Args:
        probe, gallery: RGB, (3, H, W) in [0, 1], of any two sizes.
        explanation: block grids, errors (N,) and coefficients (M, N) of the pair.
    """
    frames = _frames(probe, gallery, heat_maps=len(explanation.probe_grids))
    probe_frame, gallery_frame = frames[-2:]
    probe_grid, gallery_grid = explanation.probe_grids[0], explanation.gallery_grids[0]
    locations = BlockGrid(gallery_grid.height, gallery_grid.width)
    # The finest probe blocks are drawn; they may lean on gallery blocks of every scale.
    coefficients = explanation.coefficients[:, : len(probe_grid)].detach().double().cpu().numpy()
    weights = np.abs(location_weights(coefficients, explanation.gallery_grids))
    every = explanation.error.detach().double().cpu().numpy()
    errors, largest = every[: len(probe_grid)], float(every.max(initial=0.0))  # one scale of colours for all sizes

    colours = position_colours(probe_grid.rows, probe_grid.columns)
    mixed, strength = mixed_colours(weights, colours)
    gallery_places = gallery_frame.places(locations)
    mixture = zip(gallery_places, mixed, strength, strict=True)
    return Drawing(
        width=gallery_frame.x + gallery_frame.width,
        height=max(frame.y + frame.height for frame in frames),
        heat_maps=_heat_maps(frames[:-2], explanation, largest),
        probe=probe_frame,
        gallery=gallery_frame,
        probe_blocks=_probe_blocks(probe_frame.places(probe_grid), gallery_places, weights, errors, colours),
        gallery_cells=[
            # The square root lifts faint blocks into sight.
            Cell(*place, css(colour), round(0.85 * float(share) ** 0.5, 3))
            for place, colour, share in mixture
        ],
        largest_error=largest,
        distance=explanation.distance,
        heat=[(css(error_colours(share, 1.0)), round(OPAQUE * float(share), 3)) for share in np.linspace(0, 1, 9)],
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


def _frames(probe: Tensor, gallery: Tensor, heat_maps: int) -> list[Frame]:
    """Heat maps, probe, gallery, left to right, at one common scale: a partial probe looks as small as it is."""
    images = (probe, gallery)
    unit = min(HEIGHT / max(image.shape[1] for image in images), WIDTH / max(image.shape[2] for image in images))
    sizes = []
    for image in images:
        scale = max(unit, SMALLEST / max(image.shape[1:]))
        sizes.append((image.shape[2] * scale, image.shape[1] * scale))
    (width, height), gallery_size = sizes
    right, down = (0.0, height + BELOW) if width > height else (width + NARROW, 0.0)
    shown, searched = (data_uri(pale(image), 360) for image in images)
    frames = [Frame(shown, index * right, index * down, width, height) for index in range(heat_maps)]
    probe_x = frames[-1].x + width + GAP
    return [
        *frames,
        Frame(shown, probe_x, 0.0, width, height),
        Frame(searched, probe_x + width + GAP, 0.0, *gallery_size),
    ]


def _heat_maps(frames: Sequence[Frame], explanation: Reconstruction, largest: float) -> list[HeatMap]:
    maps = []
    for index, (frame, grid) in enumerate(zip(frames, explanation.probe_grids, strict=True)):
        errors = explanation.error_map(index).detach().double().cpu().numpy().reshape(-1)
        # Blocks overlap: each is drawn as large as a location, in its middle.
        wide, tall = frame.width / grid.width, frame.height / grid.height
        middles = [
            (x + (grid.size - 1) * wide / 2, y + (grid.size - 1) * tall / 2, wide, tall)
            for x, y, _, _ in frame.places(grid)
        ]
        cells = [
            Cell(*place, css(colour), round(OPAQUE * float(error) / (largest or 1.0), 3), f"error {error:.3f}")
            for place, colour, error in zip(middles, error_colours(errors, largest), errors, strict=True)
        ]
        maps.append(HeatMap(frame, f"{grid.size}x{grid.size}", cells))
    return maps


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
