"""AMC, a rival of DSR's tables: sparse classification of square patches (sec. 4.1 and 4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

import reidops
from reidops_models.data import resize_image
from reidops_models.dsr.network import DsrNetwork
from reidops_models.dsr.sliding_window import windows
from reidops_models.matching import Embedding, Explanation, Role, embed_in_batches, rescale

Size = tuple[int, int]


class PatchClassifier:
    """Patches against all patches of the gallery: sparse representation classification, a local model.

    Patches of `patch` x `patch` pixels overlap by half of their side in both directions. Each passes the network by
    itself; its map, 2 x 2 x 512 values for 64 pixels and the FCN, is one vector. A probe's patch is coded sparsely over
    the patches of all gallery images together, w = argmin ||x - Yw||^2 + beta |w|_1, and its distance to an image is
    the error that this image's own coefficients leave. The mean over the probe's patches is the probe's.

    AMC's weighting by the ambiguity of a patch (Zheng et al., "Partial Person Re-identification", ICCV 2015) is not
    described in DSR's paper and is left out. Chosen here: vectors of unit length; a last patch flush with the border,
    so that none is left out; an image smaller than a patch is resized to one along that side. The Gram matrix of all
    patches of the gallery is in memory, 27 patches an image at the paper's sizes.

    Args:
        network: trained; put into evaluation mode by the caller.
        image_size: (height, width) of the training images, to which gallery images are resized.
        patch: side of a patch in pixels, 2 or more; the paper's 64 is two strides of its network.
        beta: sparsity.
        probe_scale: as of `DsrMatcher`.
        batch_size: patches that pass the network together, at most.

    Example:
        >>> from reidops_models.dsr.recipe import NetworkOptions
        >>> network = DsrNetwork(NetworkOptions(backbone="resnet_slim"), identities=1).eval()
        >>> matcher = PatchClassifier(network, image_size=(128, 64), patch=32)
        >>> gallery = matcher.embed([torch.rand(3, 128, 64), torch.rand(3, 200, 90)])
        >>> matcher.distances(matcher.embed([torch.rand(3, 70, 64)], role="probe"), gallery).shape
        torch.Size([1, 2])
    """

    name = "AMC"
    joint = True  # a patch is coded over the patches of all gallery images together

    def __init__(
        self,
        network: DsrNetwork,
        image_size: Size,
        *,
        patch: int,
        beta: float = 0.4,
        probe_scale: float = 1.0,
        batch_size: int = 256,
    ) -> None:
        self.network = network
        self.image_size = image_size
        self.patch = patch
        self.beta = beta
        self.probe_scale = probe_scale
        self.batch_size = batch_size

    @property
    def embedding(self) -> Embedding:
        """The patches of each image."""
        return Embedding("patches", self.network, (self.image_size, self.patch, self.probe_scale))

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        """The patches of each image, (D, patches, 1): a map with a location for each patch."""
        counts: list[int] = []

        def patches() -> Iterable[Tensor]:
            for image in images:
                cut = self._patches(self._scaled(image, role))
                counts.append(len(cut))
                yield from cut

        device = next(self.network.parameters()).device
        vectors = embed_in_batches(
            self._vectors, patches(), batch_size=self.batch_size, progress=progress, device=device
        )
        grouped = iter(vectors)
        return [torch.stack([next(grouped) for _ in range(count)], dim=1)[..., None] for count in counts]

    def distances(
        self,
        probes: Sequence[Tensor],
        gallery: Sequence[Tensor],
        *,
        progress: bool = False,
        groups: Sequence[int] | None = None,
    ) -> Tensor:
        """(P, G) mean errors of the probe's patches; with `groups`, the people of the gallery images, (P, people)."""
        if not probes or not gallery:
            return torch.zeros(len(probes), len(gallery if groups is None else set(groups)), dtype=torch.float32)
        with torch.inference_mode():
            return reidops.dsr_distance(
                probes, gallery, self.beta, method="joint", groups=groups, progress=progress
            ).cpu()

    def explain(self, probe: Tensor, gallery: Tensor) -> Explanation | None:
        """None: a patch's coefficients lie in all gallery images, not in this one alone."""
        return None

    def _scaled(self, image: Tensor, role: Role) -> Tensor:
        return resize_image(image, *self.image_size) if role == "gallery" else rescale(image, self.probe_scale)

    def _patches(self, image: Tensor) -> list[Tensor]:
        height, width = image.shape[-2:]
        image = resize_image(image, max(height, self.patch), max(width, self.patch))
        half = self.patch // 2
        return windows(image, (self.patch, self.patch), (half, half))

    def _vectors(self, patches: Tensor) -> Tensor:
        return F.normalize(self.network(patches).flatten(1), dim=1)
