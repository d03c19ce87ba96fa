"""depthwise_xcorr and its rivals over channels, maps and templates.

- grouped convolution: each template is a group of `conv2d`, as in pysot;
- oneDNN: the same, by name;
- FFT: by `torch.fft`, for templates of 7 x 7 and more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

import reidops

Run = Callable[[], Tensor]


class Case(NamedTuple):
    """Maps of one size and templates of one size."""

    batch: int
    channels: int
    height: int
    width: int
    k: int
    padding: str = "same"
    shared: bool = False  # one template for the whole batch
    channels_last: bool = False

    @property
    def name(self) -> str:
        words = f"{self.batch} x {self.channels} x {self.height}x{self.width} by {self.k}x{self.k}, {self.padding}"
        return words + ", one template" * self.shared + ", channels last" * self.channels_last


def _cases() -> list[Case]:
    named = [
        Case(8, 1, 255, 255, 7, shared=True),
        Case(8, 3, 255, 255, 7, shared=True),
        Case(2, 256, 29, 29, 5, "valid"),
        Case(2, 256, 29, 29, 5),
        Case(28, 256, 29, 29, 5, "valid"),
        Case(1, 256, 22, 22, 6, "valid"),
        Case(16, 96, 40, 15, 10),
        Case(32, 96, 20, 8, 5),
        Case(8, 96, 8, 8, 5),
        Case(1, 4, 255, 255, 127),
        Case(1, 4, 128, 128, 63),
    ]
    channels = [Case(1, c, 64, 64, 5) for c in (1, 2, 3, 4, 8, 12, 15, 16, 17, 24, 31, 33, 48, 64, 100, 257, 512)]
    batches = [Case(16, c, 31, 31, 7, shared=shared) for c in (1, 3, 17, 64) for shared in (False, True)]
    sizes = [Case(1, c, n, n, k) for c in (1, 3, 64) for n in (16, 32, 64, 128, 256) for k in (1, 3, 7, 15) if k < n]
    large = [
        Case(1, c, n, n, k, padding)
        for c in (1, 16)
        for n, k in ((64, 31), (128, 31), (128, 63), (256, 31), (256, 63), (256, 127))
        for padding in ("same", "valid")
    ]
    plain = list(dict.fromkeys(named + channels + batches + sizes + large))
    return plain + [case._replace(channels_last=True) for case in plain if case.channels > 1]


CASES = _cases()


def inputs(case: Case) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    search = torch.randn(case.batch, case.channels, case.height, case.width, generator=generator)
    templates = () if case.shared else (case.batch,)
    template = torch.randn(*templates, case.channels, case.k, case.k, generator=generator)
    if case.channels_last:
        search = search.contiguous(memory_format=torch.channels_last)
    return search, template


def rivals(case: Case) -> dict[str, Run]:
    """Each way to compute the case, by its name; "reidops" is ours."""
    search, template = inputs(case)
    before, after = ((case.k - 1) // 2, case.k // 2) if case.padding == "same" else (0, 0)
    groups = case.channels * (1 if case.shared else case.batch)
    weight = template.reshape(groups, 1, case.k, case.k)

    def grouped(convolve: Callable[[Tensor, tuple[int, int]], Tensor]) -> Tensor:
        """Each template is a group, as in pysot; a padding that is not the same on both sides takes a copy."""
        maps = search if case.shared else search.reshape(1, groups, case.height, case.width)
        if before == after:
            result = convolve(maps, (before, before))
        else:
            result = convolve(F.pad(maps, (before, after, before, after)), (0, 0))
        return result.reshape(case.batch, case.channels, *result.shape[-2:])

    def convolution() -> Tensor:
        return grouped(lambda maps, padding: F.conv2d(maps, weight, padding=padding, groups=groups))

    def onednn() -> Tensor:
        return grouped(
            lambda maps, padding: torch.mkldnn_convolution(maps, weight, None, padding, (1, 1), (1, 1), groups)
        )

    ways = {"reidops": lambda: reidops.depthwise_xcorr(search, template, padding=case.padding)}
    if case.k < 63:  # beyond, a convolution takes minutes
        ways |= {"grouped convolution": convolution, "oneDNN": onednn}
    if case.k >= 7:
        ways["FFT"] = lambda: fft(search, template, before, after)
    return ways


def fft(search: Tensor, template: Tensor, before: int, after: int) -> Tensor:
    """By torch.fft, of the least size whose wrapping around spoils no result, rounded up to one that is fast."""
    sizes = [fast(max(n, n + max(before, after))) for n in search.shape[-2:]]
    spectrum = torch.fft.rfft2(search, s=sizes) * torch.fft.rfft2(template, s=sizes).conj()
    result = torch.fft.irfft2(spectrum, s=sizes)
    if before:
        result = result.roll((before, before), (-2, -1))
    h, w = (n + before + after - k + 1 for n, k in zip(search.shape[-2:], template.shape[-2:], strict=True))
    return result[..., :h, :w]


def fast(n: int) -> int:
    """The least size of factors 2, 3, 5 and 7 that is no smaller."""
    rest = n
    for factor in (2, 3, 5, 7):
        while rest % factor == 0:
            rest //= factor
    return n if rest == 1 else fast(n + 1)
