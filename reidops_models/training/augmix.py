"""AugMix (Hendrycks et al., ICLR 2020): an image mixed with variations of itself, each by a chain of simple operations.

With chains c_k of one to three operations, weights w of a flat Dirichlet distribution and m uniform on [0, 1],

    x' = (1 - m) x + m (w_1 c_1(x) + w_2 c_2(x) + w_3 c_3(x)).

Whole batches at a time: an operation is applied to those images together that drew it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

CHAINS = 3
DEPTH = 3  # operations in a chain, at most
SEVERITY = 0.3  # of the strongest variation there is
LEVELS = 256  # of a channel

Operation = Callable[[Tensor, Tensor], Tensor]


def augmix(images: Tensor, probability: float) -> Tensor:
    """Each image with that probability mixed with variations of itself.

    Args:
        images: (B, 3, H, W) float in [0, 1].
        probability: of an image to be mixed; the others stay as they are.

    Returns:
        (B, 3, H, W) in [0, 1].

    Example:
        >>> augmix(torch.rand(4, 3, 128, 64), 0.5).shape
        torch.Size([4, 3, 128, 64])
    """
    batch, device = len(images), images.device
    chosen = torch.rand(batch, device=device) < probability
    share = torch.rand(batch, device=device) * chosen
    weights = torch.rand(CHAINS, batch, device=device).clamp(min=1e-12).log().neg()
    weights = weights / weights.sum(dim=0)  # normalised exponentials: a flat Dirichlet distribution
    mixed = torch.zeros_like(images)
    for weight in weights:
        mixed += weight.view(-1, 1, 1, 1) * _chain(images, chosen)
    share = share.view(-1, 1, 1, 1)
    return ((1 - share) * images + share * mixed).clamp(0, 1)


def _chain(images: Tensor, chosen: Tensor) -> Tensor:
    """One to `DEPTH` operations on each chosen image, drawn anew for each."""
    varied = images.clone()
    depth = torch.randint(1, DEPTH + 1, (len(images),), device=images.device) * chosen
    for step in range(DEPTH):
        kind = torch.randint(len(OPERATIONS), (len(images),), device=images.device)
        amount = SEVERITY * torch.rand(len(images), device=images.device)
        for index, operation in enumerate(OPERATIONS):
            some = ((kind == index) & (depth > step)).nonzero()[:, 0]
            if len(some):
                varied[some] = operation(varied[some], amount[some])
    return varied


# --- operations: images (n, 3, H, W) in [0, 1] and amounts (n,) in [0, 1] -> images ---


def autocontrast(images: Tensor, amount: Tensor) -> Tensor:
    """Each channel stretched to the whole of [0, 1]; a constant one stays."""
    low, high = images.amin(dim=(2, 3), keepdim=True), images.amax(dim=(2, 3), keepdim=True)
    return torch.where(high > low, (images - low) / (high - low).clamp(min=1e-6), images)


def equalize(images: Tensor, amount: Tensor) -> Tensor:
    """Each channel by its cumulative histogram: (cdf(v) - cdf_min) / (1 - cdf_min); a constant one stays."""
    levels = (images * (LEVELS - 1)).round().long().flatten(2)
    histogram = torch.zeros(*levels.shape[:2], LEVELS, device=images.device)
    histogram.scatter_add_(2, levels, torch.ones_like(levels, dtype=histogram.dtype))
    cumulative = histogram.cumsum(dim=2) / levels.shape[2]
    least = cumulative.gather(2, levels.amin(dim=2, keepdim=True))
    equal = (cumulative.gather(2, levels) - least) / (1 - least).clamp(min=1e-6)
    return torch.where(least < 1, equal, images.flatten(2)).view_as(images)


def posterize(images: Tensor, amount: Tensor) -> Tensor:
    """4 bits of each channel down to 1."""
    steps = 2.0 ** (4 - (3 * amount).round()).view(-1, 1, 1, 1)
    return (images * steps).floor().clamp(max=steps - 1) / steps


def solarize(images: Tensor, amount: Tensor) -> Tensor:
    """Values above a threshold, 1 down to 0, inverted."""
    return torch.where(images > 1 - amount.view(-1, 1, 1, 1), 1 - images, images)


def rotate(images: Tensor, amount: Tensor) -> Tensor:
    """By up to 30 degrees to either side, about the centre."""
    angle = _signed(amount) * torch.pi / 6
    aspect = images.shape[2] / images.shape[3]  # of pixels, in coordinates from -1 to 1
    cosine, sine = angle.cos(), angle.sin()
    return _affine(images, [[cosine, -sine * aspect, 0], [sine / aspect, cosine, 0]])


def shear_x(images: Tensor, amount: Tensor) -> Tensor:
    """Rows moved by up to 0.3 of a pixel a row."""
    return _affine(images, [[1, 0.3 * _signed(amount) * images.shape[2] / images.shape[3], 0], [0, 1, 0]])


def shear_y(images: Tensor, amount: Tensor) -> Tensor:
    """Columns moved by up to 0.3 of a pixel a column."""
    return _affine(images, [[1, 0, 0], [0.3 * _signed(amount) * images.shape[3] / images.shape[2], 1, 0]])


def translate_x(images: Tensor, amount: Tensor) -> Tensor:
    """By up to a third of the width."""
    return _affine(images, [[1, 0, _signed(amount) * 2 / 3], [0, 1, 0]])


def translate_y(images: Tensor, amount: Tensor) -> Tensor:
    """By up to a third of the height."""
    return _affine(images, [[1, 0, 0], [0, 1, _signed(amount) * 2 / 3]])


OPERATIONS: tuple[Operation, ...] = (
    autocontrast,
    equalize,
    posterize,
    solarize,
    rotate,
    shear_x,
    shear_y,
    translate_x,
    translate_y,
)


def _signed(amount: Tensor) -> Tensor:
    return torch.where(torch.rand_like(amount) < 0.5, -amount, amount)


def _affine(images: Tensor, rows: list[list[Tensor | float]]) -> Tensor:
    """Sampled by a map from output to input, in coordinates from -1 to 1; the border is repeated."""
    cells = [[torch.as_tensor(cell, device=images.device).expand(len(images)) for cell in row] for row in rows]
    theta = torch.stack([torch.stack(row, dim=1) for row in cells], dim=1).to(images.dtype)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
