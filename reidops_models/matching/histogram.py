"""A colour histogram as a matcher: the baseline that any learnt feature should beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from matplotlib.colors import rgb_to_hsv
from torch import Tensor

from reidops_models.matching.explanations import Explanation
from reidops_models.matching.interface import Embedding, Role


class HistogramMatcher:
    """Global colour histograms in HSV, compared by Hellinger's distance.

    An image is the distribution p of its pixels' colours over `bins`^3 boxes of hue, saturation and value;
    d(p, q) = sqrt(1 - sum_i sqrt(p_i q_i)), in [0, 1]. Size and shape of the images do not matter.

    Example:
        >>> matcher = HistogramMatcher()
        >>> red, green = torch.zeros(3, 8, 4), torch.zeros(3, 16, 4)
        >>> red[0], green[1] = 1, 1
        >>> matcher.distances(matcher.embed([red]), matcher.embed([red, green]))
        tensor([[0., 1.]])
    """

    name = "colour histogram"

    def __init__(self, bins: int = 8) -> None:
        self.bins = bins

    @property
    def embedding(self) -> Embedding:
        """A histogram of each image."""
        return Embedding("histogram", options=(self.bins,))

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        """(bins^3,) square roots of the colours' shares, float32, of each image."""
        return [self._histogram(image) for image in images]

    def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
        """(P, G) Hellinger distances."""
        if not probes or not gallery:
            return torch.zeros(len(probes), len(gallery), dtype=torch.float32)
        overlap = torch.stack(list(probes)) @ torch.stack(list(gallery)).mT
        return (1 - overlap).clamp(min=0).sqrt()

    def explain(self, probe: Tensor, gallery: Tensor) -> Explanation | None:
        """None: the images are compared as wholes."""
        return None

    def _histogram(self, image: Tensor) -> Tensor:
        hsv = torch.from_numpy(rgb_to_hsv(image.clamp(0, 1).permute(1, 2, 0).double().numpy()))
        hue, saturation, value = (hsv * self.bins).long().clamp(max=self.bins - 1).unbind(dim=-1)
        box = (hue * self.bins + saturation) * self.bins + value
        counts = torch.bincount(box.flatten(), minlength=self.bins**3).double()
        return (counts / counts.sum()).sqrt().float()
