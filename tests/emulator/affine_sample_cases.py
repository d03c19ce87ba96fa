"""Images under affine maps: by the emulated kernels of affine_sample, and by torch's affine_grid and grid_sample."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np
import torch

from reidops import reference

OPTIONS = list(itertools.product((0, 1), (0, 1, 2), (False, True)))  # mode, padding, align_corners
DTYPES = [np.float32, np.float64]
# Maps without rotation: scale and shift along x and y.
BOXES = {
    "box": ((0.6, 0.1), (0.55, -0.2)),
    "box over the edge": ((0.6, 0.7), (0.5, -0.9)),
    "box over the last column": ((0.5, 0.5), (0.5, 0)),
    "box over the last row": ((0.5, 0), (0.5, 0.5)),
    "identity": ((1, 0), (1, 0)),
    "box of a pixel": ((0.05, 0.3), (0.04, 0.3)),
    "box around": ((2.5, 0.1), (2.2, 0)),
    "flipped box": ((-0.6, 0), (-0.7, 0.1)),
    "box far away": ((0.5, 30), (0.5, -7)),
    "box of no height": ((0.5, 0), (0, 0.3)),
}
# Those that torch's own backward reads outside the image for, or that it has other numbers of.
ODD_BOXES = {
    "nan": ((np.nan, 0), (0.5, 0)),
    "nan below": ((0.5, 0), (0.5, np.nan)),
    "infinite": ((np.inf, 0), (0.5, np.inf)),
    "huge": ((1e30, 0), (-1e30, 3e30)),
    "minus zero": ((0.5, -0.0), (-0.0, -0.0)),
}
BOXES_AND_ODD = BOXES | ODD_BOXES


def thetas(kind: str, *batch: int) -> np.ndarray:
    random = np.random.default_rng(1).standard_normal((*batch, 2, 3))
    identity = np.eye(2, 3)
    if kind == "singular":
        return np.repeat(random[..., :1, :], 2, axis=-2)
    if kind == "nan":
        random[..., 0, 1] = np.nan
        return random
    if kind in BOXES_AND_ODD:
        (xx, x), (yy, y) = BOXES_AND_ODD[kind]
        return np.broadcast_to(np.array([[xx, 0, x], [0, yy, y]]), (*batch, 2, 3)) + np.zeros((*batch, 1, 1))
    near = {"zoomed": 0.6, "shrunk": 2.5, "magnified": 0.05}
    if kind in near:
        return near[kind] * (identity + 0.2 * random)
    return random * {"any": 1, "a point": np.array([0, 0, 0.5]), "far": 20}[kind]


@dataclass
class Case:
    """Images (P, C, H, W) under maps (P, K, 2, 3), to (h, w)."""

    kind: str = "zoomed"
    options: tuple[int, int, bool] = (0, 0, False)
    shape: tuple[int, int, int, int] = (2, 3, 7, 6)
    size: tuple[int, int] = (5, 8)
    repeats: int = 2
    dtype: type = np.float64
    channels_last: bool = False
    input: np.ndarray = field(init=False)
    theta: np.ndarray = field(init=False)
    grad: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(0)
        images, channels, *_ = self.shape
        self.input = random.standard_normal(self.shape).astype(self.dtype)
        if self.channels_last:
            self.input = np.moveaxis(np.ascontiguousarray(np.moveaxis(self.input, -3, -1)), -1, -3)
        self.theta = thetas(self.kind, images, self.repeats).astype(self.dtype)
        self.grad = random.standard_normal((images, self.repeats, channels, *self.size)).astype(self.dtype)

    def forward_by_kernels(self, kernels: ModuleType, *enough: int) -> np.ndarray:
        options = kernels.Options(*self.size, *self.options, self.channels_last)
        output = kernels.forward(self.input, self.theta, options, *enough)
        return np.moveaxis(output, -1, -3) if self.channels_last else output

    def by_kernels(self, kernels: ModuleType) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Output, gradient of the input, gradient of theta (P, K, 2, 3)."""
        output = self.forward_by_kernels(kernels)
        options = kernels.Options(*self.size, *self.options, self.channels_last)
        grad = np.ascontiguousarray(np.moveaxis(self.grad, -3, -1)) if self.channels_last else self.grad
        of_input, of_theta = kernels.backward(grad, self.input, self.theta, options)
        if self.channels_last:
            of_input = np.moveaxis(of_input, -1, -3)
        return output, of_input, of_theta.sum(-2).reshape(self.theta.shape)

    def by_torch(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        input, theta, grad = (torch.from_numpy(value) for value in (self.input, self.theta, self.grad))
        output = reference.affine_sample(input[:, None], theta, *self.size, *self.options)
        gradients = reference.affine_sample_backward(grad, input[:, None], theta, *self.options, True, True)
        return output.numpy(), gradients[0].squeeze(1).numpy(), gradients[1].numpy()


def check(case: Case, results: tuple[np.ndarray, ...]) -> None:
    close = {"rtol": 0, "atol": 2e-4 if case.dtype == np.float32 else 1e-11}
    expected = case.by_torch()
    for i, (result, other) in enumerate(zip(results, expected, strict=False)):
        if i == 2 and case.options[0] == 1:  # the nearest pixel has no gradient by theta, and its kernel is not called
            continue
        scale = max(1.0, float(np.nanmax(np.abs(other), initial=0)))
        np.testing.assert_allclose(result / scale, other / scale, **close)


# Changes that leave bilinear sampling with zeros outside: a build with a bug in it is to be compiled quickly.
LEAN = [
    ("affine_sample/options.h", line, "")
    for line in (
        "if (padding == Padding::kBorder) body(std::integral_constant<Padding, Padding::kBorder>());",
        "if (padding == Padding::kReflection) body(std::integral_constant<Padding, Padding::kReflection>());",
        "if (mode == Mode::kNearest) body(std::integral_constant<Mode, Mode::kNearest>(), known);",
    )
]
