"""Explanation of a pair: which part of the gallery image the probe was compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from reidops_models.matching.explanations.panel import Outline, Panel


@dataclass(frozen=True)
class Alignment:
    """Which part of the gallery image was compared with the probe.

    Attributes:
        distance: the distance of the pair, as `Matcher.distances` gives it.
        theta: (2, 3) from the affined image's coordinates to the gallery image's, both in [-1, 1].
        probe, gallery: (3, H, W) the images as they were compared, that is, resized.
        affined: (3, H, W) what theta samples of the gallery image.
        align_corners: whether -1 and 1 are the centres of the corner pixels, or their outer edges.
    """

    title: ClassVar[str] = "which part of the gallery image was compared with the probe"

    distance: float
    theta: Tensor
    probe: Tensor
    gallery: Tensor
    affined: Tensor
    align_corners: bool = False

    def corners(self) -> list[tuple[float, float]]:
        """(x, y) of the sampled part's corners as fractions of the gallery image, clockwise from the upper left.

        Example:
            >>> import torch
            >>> image, theta = torch.zeros(3, 8, 4), torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
            >>> Alignment(0.0, theta, image, image, image).corners()
            [(0.0, 0.5), (1.0, 0.5), (1.0, 1.0), (0.0, 1.0)]
        """
        height, width = self.affined.shape[-2:]
        # With aligned corners the outer edges lie half a pixel beyond -1 and 1.
        x, y = ((size / (size - 1) if self.align_corners and size > 1 else 1.0) for size in (width, height))
        places = self.theta.new_tensor([[-x, -y, 1], [x, -y, 1], [x, y, 1], [-x, y, 1]]) @ self.theta.mT
        scale = self.theta.new_tensor([1 / x, 1 / y])
        return [(u, v) for u, v in (places * scale / 2 + 0.5).tolist()]

    @property
    def facts(self) -> str:
        """The distance."""
        return f"distance {self.distance:.4f}"

    def panels(self) -> list[Panel]:
        """The gallery image with the sampled part outlined, what was sampled, and the probe."""
        return [
            Panel(self.gallery, "rank 1, what was sampled", outlines=(Outline(tuple(self.corners())),)),
            Panel(self.affined, "affined image"),
            Panel(self.probe, "probe, resized"),
        ]
