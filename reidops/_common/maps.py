"""Feature maps (*B, C, H, W) as the kernels make them: contiguous, or with the channels innermost."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


def is_channels_last(maps: Tensor) -> bool:
    """Whether a pixel's channels lie side by side."""
    return maps.shape[-3] > 1 and maps.stride(-3) == 1 and maps.stride(-1) != 1


def new_maps(like: Tensor, shape: Sequence[int]) -> Tensor:
    """A new tensor in the layout of `like`."""
    if not is_channels_last(like):
        return like.new_empty(shape)
    *batch, channels, height, width = shape
    return like.new_empty((*batch, height, width, channels)).movedim(-1, -3)


def batched(value: Tensor, dim: int | None, rank: int) -> Tensor:
    """With the mapped dimension, or one of size 1, in front, and as many dimensions behind it as `rank`."""
    value = value.unsqueeze(0) if dim is None else value.movedim(dim, 0)
    return value.reshape(value.shape[0], *(1,) * (rank + 1 - value.dim()), *value.shape[1:])
