"""affine_sample and its rivals over shapes: pictures from 16x16 to 1080x1920, boxes and rotations, both layouts.

Every rival gets float32 numbers of the layout that it likes best, and allocates its result as ours does:

- torch: `affine_grid`, `expand`, `grid_sample`, planar, or channels-last where ours is;
- OpenCV: `warpAffine` of an (H, W, C) array, one call for each map. Its positions are rounded to 1/32 pixel, and it has
  no gradients and no more than four channels;
- kornia: `warp_affine` of the expanded pictures.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import reidops

MOST_NUMBERS = 1 << 26  # of an output: 256 MiB


class Case(NamedTuple):
    """One picture under some maps."""

    channels: int
    size: tuple[int, int]
    maps: int
    sampled: tuple[int, int]
    kind: str  # "boxes" or "rotations"
    channels_last: bool
    backward: bool

    @property
    def name(self) -> str:
        height, width = self.size
        h, w = self.sampled
        layout = "channels-last" if self.channels_last else "planar"
        step = "backward" if self.backward else "forward"
        return f"{self.channels}x{height}x{width} to {h}x{w}, {self.maps} {self.kind}, {layout}, {step}"


def _cases() -> Iterator[Case]:
    sizes = {
        (16, 16): [(16, 16)],
        (64, 32): [(64, 32)],
        (256, 128): [(256, 128)],
        (480, 640): [(480, 640), (128, 64)],
        (1080, 1920): [(1080, 1920), (256, 128)],
    }
    for size, outputs in sizes.items():
        for channels, maps, sampled, kind, last, backward in itertools.product(
            (1, 3, 64, 512), (1, 8, 64), outputs, ("boxes", "rotations"), (False, True), (False, True)
        ):
            numbers = channels * max(maps * sampled[0] * sampled[1], size[0] * size[1])
            if numbers <= MOST_NUMBERS and not (channels == 1 and last):
                yield Case(channels, size, maps, sampled, kind, last, backward)


CASES = tuple(_cases())


def thetas(case: Case) -> Tensor:
    """Boxes of 0.4 to 0.9 of the picture, or rotations that zoom to about 0.6 of it: ``(maps, 2, 3)``."""
    generator = torch.Generator().manual_seed(0)
    if case.kind == "boxes":
        corner, extent = torch.rand(2, case.maps, 2, generator=generator)
        extent = 0.4 + 0.5 * extent
        corner = corner * (1 - extent)
        return reidops.boxes_to_theta(torch.cat([corner, corner + extent], -1))
    angle = 0.6 * torch.randn(case.maps, generator=generator)
    aspect = case.size[1] / case.size[0]
    rows = (angle.cos(), -angle.sin() / aspect, 0 * angle, angle.sin() * aspect, angle.cos(), 0 * angle)
    shift = 0.1 * torch.randn(case.maps, 2, 1, generator=generator)
    return 0.6 * torch.stack(rows, -1).unflatten(-1, (2, 3)) + torch.cat([torch.zeros(case.maps, 2, 2), shift], -1)


def to_pixels(theta: Tensor, case: Case) -> Tensor:
    """theta in pixels, from an output's (j, i) to the picture's: ``(maps, 3, 3)``, with corners not aligned."""

    def normalise(size: tuple[int, int]) -> Tensor:
        h, w = size
        return torch.tensor([[2 / w, 0, 1 / w - 1], [0, 2 / h, 1 / h - 1], [0, 0, 1]], dtype=torch.float64)

    whole = torch.cat([theta.double(), torch.tensor([[[0.0, 0, 1]]]).expand(case.maps, 1, 3)], 1)
    return normalise(case.size).inverse() @ whole @ normalise(case.sampled)


def by_torch(pictures: Tensor, theta: Tensor, case: Case) -> Tensor:
    expanded = pictures.expand(case.maps, *pictures.shape[1:])
    grid = F.affine_grid(theta, [case.maps, case.channels, *case.sampled], align_corners=False)
    return F.grid_sample(expanded, grid, align_corners=False)


def by_reidops(pictures: Tensor, theta: Tensor, case: Case) -> Tensor:
    return reidops.affine_sample(pictures, theta, case.sampled)


def _opencv(picture: Tensor, theta: Tensor, case: Case) -> Callable[[], Any] | None:
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError:
        return None
    if case.backward or case.channels > 4:
        return None
    cv2.setNumThreads(torch.get_num_threads())
    array = picture[0].movedim(0, -1).contiguous().numpy()
    maps = to_pixels(theta, case)[:, :2].numpy()
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    h, w = case.sampled
    return lambda: [cv2.warpAffine(array, one, (w, h), flags=flags) for one in maps]


def _kornia(pictures: Tensor, theta: Tensor, case: Case) -> Callable[[Tensor, Tensor, Case], Tensor] | None:
    try:
        warp = importlib.import_module("kornia.geometry.transform").warp_affine
    except ImportError:
        return None

    def function(pictures: Tensor, theta: Tensor, case: Case) -> Tensor:
        forth = to_pixels(theta, case).inverse()[:, :2].float()
        return warp(pictures.expand(case.maps, *pictures.shape[1:]), forth, case.sampled, align_corners=False)

    return function


def _with_gradients(function: Callable[..., Tensor], pictures: Tensor, theta: Tensor, case: Case) -> Callable[[], Any]:
    """Backward alone needs a graph to keep: forward and backward together, as in training."""
    layout = torch.channels_last if case.channels_last else torch.contiguous_format
    grad = torch.rand(case.maps, case.channels, *case.sampled).contiguous(memory_format=layout)
    pictures, theta = pictures.detach().requires_grad_(), theta.detach().requires_grad_()

    def run() -> None:
        pictures.grad = theta.grad = None
        function(pictures, theta, case).backward(grad)

    return run


def rivals(case: Case) -> dict[str, Callable[[], Any]]:
    """Each way to compute the case, by its name; "reidops" is ours."""
    layout = torch.channels_last if case.channels_last else torch.contiguous_format
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand(1, case.channels, *case.size, generator=generator).contiguous(memory_format=layout)
    theta = thetas(case)
    functions: dict[str, Callable[..., Tensor] | None] = {
        "reidops": by_reidops,
        "torch": by_torch,
        "kornia": _kornia(pictures, theta, case),
    }
    ways: dict[str, Callable[[], Any]] = {}
    for name, function in functions.items():
        if function is None:
            continue
        if case.backward:
            ways[name] = _with_gradients(function, pictures, theta, case)
        else:
            ways[name] = torch.no_grad()(lambda function=function: function(pictures, theta, case))
    opencv = _opencv(pictures, theta, case)
    if opencv is not None:
        ways["OpenCV"] = opencv
    return ways
