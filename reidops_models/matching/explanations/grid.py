"""The blocks of a map: where they lie on the image."""

from __future__ import annotations

from dataclasses import dataclass

from reidops_models.matching.explanations.panel import Box


@dataclass(frozen=True)
class BlockGrid:
    """The blocks of one scale: windows of `size` x `size`, one step apart, on a map of `height` x `width` locations.

    Blocks are counted row by row, as `reidops.dsr_distance` orders them.

    Example:
        >>> BlockGrid(height=8, width=4, size=2).box(0)
        (0.0, 0.0, 0.5, 0.25)
    """

    height: int
    width: int
    size: int = 1

    @property
    def rows(self) -> int:
        """Blocks from top to bottom."""
        return self.height - self.size + 1

    @property
    def columns(self) -> int:
        """Blocks from left to right."""
        return self.width - self.size + 1

    def __len__(self) -> int:
        return self.rows * self.columns

    def box(self, index: int) -> Box:
        """(left, top, right, bottom) of a block as fractions of the image, which is what a report draws."""
        row, column = divmod(index, self.columns)
        return (
            column / self.width,
            row / self.height,
            (column + self.size) / self.width,
            (row + self.size) / self.height,
        )

    def boxes(self) -> list[Box]:
        """The boxes of all blocks, in order."""
        return [self.box(index) for index in range(len(self))]

    def middles(self) -> list[Box]:
        """For each block the location in its middle. Blocks overlap, and these boxes do not.

        Example:
            >>> BlockGrid(height=4, width=4, size=3).middles()[0]
            (0.25, 0.25, 0.5, 0.5)
        """
        across, down = (self.size - 1) / 2 / self.width, (self.size - 1) / 2 / self.height
        return [
            (left + across, top + down, left + across + 1 / self.width, top + down + 1 / self.height)
            for left, top, _, _ in self.boxes()
        ]
