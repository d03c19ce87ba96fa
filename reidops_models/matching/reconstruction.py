"""Matching by reconstruction: the blocks of a probe's map rebuilt from a gallery image's (He et al., CVPR 2018)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import reidops
from reidops_models.data import resize_image
from reidops_models.matching.batches import Prepared, device_of, embed_in_batches, rescale
from reidops_models.matching.explanations import BlockGrid, Explanation, Reconstruction
from reidops_models.matching.interface import Embedding, Role
from reidops_models.matching.vectors import vector_distances

Size = tuple[int, int]
Half = Literal["none", "float16", "bfloat16"]


class BlockMatcher:
    """A probe's distance to a gallery image is the mean squared error with which the gallery image's blocks rebuild
    the probe's (`reidops.dsr_distance`).

    Gallery images are holistic and resized to the training size. A probe is never stretched to it: it keeps its
    proportions and its scale relative to the gallery. A paper's matcher gives the name of its row, and overrides
    `maps` where the network's answer is no map.

    Args:
        network: images (B, 3, H, W) in [0, 1] -> maps (B, C, h, w); put into evaluation mode by the caller.
        image_size: (height, width) of the training images, to which gallery images are resized.
        scales: block sizes.
        beta: sparsity.
        probe_scale: the factor by which probes are resized, `reidops_models.matching.probe_scale` of the gallery;
            1 leaves them as they are.
        batch_size: images of one size that pass the network together, at most.
        half: the type in which maps are kept, in half the bits, and multiplied as they are: "float16", "bfloat16", or
            "none" for the network's float32.
    """

    name = "reconstruction"

    def __init__(
        self,
        network: nn.Module,
        image_size: Size,
        *,
        scales: Sequence[int] = (1,),
        beta: float = 0.4,
        probe_scale: float = 1.0,
        batch_size: int = 64,
        half: Half = "none",
    ) -> None:
        self.network = network
        self.image_size = image_size
        self.scales = tuple(scales)
        self.beta = beta
        self.probe_scale = probe_scale
        self.batch_size = batch_size
        self.half: Half = half

    def maps(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) of any size -> maps (B, C, h, w), each location of unit length."""
        maps: Tensor = self.network(images)
        return maps

    @property
    def embedding(self) -> Embedding:
        """A map of each image. Block sizes and sparsity do not change it."""
        return Embedding("map", self.network, (type(self).__qualname__, self.image_size, self.probe_scale, self.half))

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        """The map (C, h, w) of each image, of its own size on the probe side."""
        scaled = Prepared(lambda image: self._scaled(image, role), images)
        return embed_in_batches(
            self._kept, scaled, batch_size=self.batch_size, progress=progress, device=device_of(self.network)
        )

    def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
        """(P, G) mean reconstruction errors, float32."""
        # Distances have the maps' type, in which many would be equal; under autocast those of half maps are float32.
        dtype = None if self.half == "none" else getattr(torch, self.half)
        float32 = torch.autocast(device_of(self.network).type, dtype=dtype, enabled=dtype is not None)
        with torch.inference_mode(), float32:
            return reidops.dsr_distance(probes, gallery, self.beta, scales=self.scales, progress=progress).cpu()

    def pairs(
        self, probes: Sequence[Tensor], gallery: Sequence[Tensor], candidates: Tensor, *, progress: bool = False
    ) -> Tensor:
        """(P, K) mean reconstruction errors of chosen pairs; on a CPU the bits of `distances`."""
        with torch.inference_mode():
            distances = reidops.dsr_distance(
                probes, gallery, self.beta, scales=self.scales, candidates=candidates, progress=progress
            )
            return distances.cpu()

    @torch.inference_mode()
    def explain(self, probe: Tensor, gallery: Tensor) -> Reconstruction:
        """Error of every probe block and the coefficients that rebuilt it."""
        probe, gallery = self._scaled(probe, "probe"), self._scaled(gallery, "gallery")
        device = device_of(self.network)
        probe_blocks, probe_grids = block_set(self._kept(probe[None].to(device))[0].float(), self.scales)
        gallery_blocks, gallery_grids = block_set(self._kept(gallery[None].to(device))[0].float(), self.scales)
        rebuilt = reidops.sparse_reconstruct(probe_blocks, gallery_blocks, self.beta)
        return Reconstruction(
            distance=float(rebuilt.error.mean()),
            probe_grids=probe_grids,
            gallery_grids=gallery_grids,
            error=rebuilt.error.cpu(),
            coefficients=rebuilt.coefficients.cpu(),
            probe=probe.cpu(),
            gallery=gallery.cpu(),
        )

    def _kept(self, images: Tensor) -> Tensor:
        maps = self.maps(images)
        return maps if self.half == "none" else maps.to(getattr(torch, self.half))

    def _scaled(self, image: Tensor, role: Role) -> Tensor:
        return resize_image(image, *self.image_size) if role == "gallery" else rescale(image, self.probe_scale)


class MapAverageMatcher:
    """Images are compared by the averages of their maps: one minus the cosine. It is the first stage for a method that
    compares the maps, and needs no network of its own.

    Args:
        maps: the matcher whose maps are averaged.

    Example:
        >>> whole = BlockMatcher(nn.Conv2d(3, 4, 1), (8, 4))
        >>> matcher = MapAverageMatcher(whole)
        >>> features = matcher.embed([torch.rand(3, 8, 4)])
        >>> features[0].shape, matcher.distances(features, features).shape
        (torch.Size([4]), torch.Size([1, 1]))
    """

    name = "map average"

    def __init__(self, maps: BlockMatcher) -> None:
        self._maps = maps

    @property
    def source(self) -> Embedding:
        """The map of each image."""
        return self._maps.embedding

    @property
    def embedding(self) -> Embedding:
        """The average of each map."""
        return Embedding("map average", options=(self.source,))

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        """The average (C,) of each image's map, of unit length."""
        return self.derive(self._maps.embed(images, role=role, progress=progress))

    def derive(self, embedded: Sequence[Tensor]) -> list[Tensor]:
        """The averages of maps that are there."""
        return [F.normalize(one.float().mean(dim=(1, 2)), dim=0) for one in embedded]

    def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
        """(P, G), one minus the cosine."""
        return vector_distances(probes, gallery, "cosine")

    def explain(self, probe: Tensor, gallery: Tensor) -> Explanation | None:
        """None: the images are compared as wholes."""
        return None


def block_set(maps: Tensor, scales: Sequence[int]) -> tuple[Tensor, tuple[BlockGrid, ...]]:
    """The blocks of maps `(*B, C, h, w)` as columns `(*B, C, N)`, scale after scale (sec. 3.4), and where they lie.

    A k x k block is its average. A scale that does not fit the map is left out, as `reidops.dsr_distance` does.

    Raises:
        ValueError: no scale fits.

    Example:
        >>> columns, grids = block_set(torch.rand(192, 8, 4), scales=(1, 2))
        >>> columns.shape, [len(grid) for grid in grids]
        (torch.Size([192, 53]), [32, 21])
    """
    height, width = maps.shape[-2:]
    grids = tuple(BlockGrid(height, width, size) for size in scales if size <= min(height, width))
    if not grids:
        raise ValueError(f"block_set: no block of scales {tuple(scales)} fits a map of {height}x{width}")
    columns = [F.avg_pool2d(maps, grid.size, stride=1).flatten(-2) for grid in grids]
    return torch.cat(columns, dim=-1), grids
