"""The matchers of DSR's tables: the Resizing model, and DSR with one or several block sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

import reidops
from reidops_models.data import resize_image
from reidops_models.dsr.network import DsrNetwork
from reidops_models.matching import BlockGrid, Reconstruction, Role, device_of, embed_in_batches, rescale

Size = tuple[int, int]


class ResizingMatcher:
    """The Resizing model, sec. 4.2: probes and gallery images are resized to one size and compared as wholes.

    Args:
        network: trained; put into evaluation mode by the caller.
        image_size: (height, width) of the training images.
        pool: "flat", the paper's: all h*w*C values of the maps (15,360 for 320x120 and the FCN);
            "average": the C averages over locations.
        metric: "euclidean", the paper's, or "cosine" (one minus the cosine).
        batch_size: images that pass the network together, at most.
    """

    name = "Resizing model"
    embedding = "vector"

    def __init__(
        self,
        network: DsrNetwork,
        image_size: Size,
        *,
        pool: Literal["flat", "average"] = "flat",
        metric: Literal["euclidean", "cosine"] = "euclidean",
        batch_size: int = 64,
    ) -> None:
        self.network = network
        self.image_size = image_size
        self.pool = pool
        self.metric = metric
        self.batch_size = batch_size

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        """One vector for each image; of unit length for the cosine."""
        resized = (resize_image(image, *self.image_size) for image in images)
        return embed_in_batches(
            self._features, resized, batch_size=self.batch_size, progress=progress, device=device_of(self.network)
        )

    def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
        """(P, G) Euclidean distances, or one minus the cosine."""
        if not probes or not gallery:
            return torch.zeros(len(probes), len(gallery))
        left, right = torch.stack(list(probes)), torch.stack(list(gallery))
        if self.metric == "cosine":
            return (1 - left @ right.mT).cpu()
        return torch.cdist(left, right).cpu()

    def explain(self, probe: Tensor, gallery: Tensor) -> Reconstruction | None:
        """None: the images are compared as wholes."""
        return None

    def _features(self, images: Tensor) -> Tensor:
        maps = self.network.backbone(images)
        features = maps.mean(dim=(2, 3)) if self.pool == "average" else maps.flatten(1)
        return F.normalize(features, dim=1) if self.metric == "cosine" else features


class DsrMatcher:
    """Deep spatial feature reconstruction, sec. 3.2 and 3.4.

    A probe's distance to a gallery image is the mean squared error with which the gallery image's blocks rebuild the
    probe's (eq. 3 and 4). Gallery images are holistic and resized to the training size. A probe is never stretched
    to it: it keeps its proportions and its scale relative to the gallery.

    Args:
        network: trained; put into evaluation mode by the caller.
        image_size: (height, width) of the training images, to which gallery images are resized.
        scales: block sizes, (1,) for the single-scale row and (1, 2, 3) for the multi-scale one.
        beta: sparsity of eq. 3.
        probe_scale: the factor by which probes are resized, `reidops_models.matching.probe_scale` of the gallery;
            1 leaves them as they are.
        name: of the row; made from the scales if None.
        batch_size: images of one size that pass the network together, at most.

    Example:
        >>> from reidops_models.dsr.recipe import NetworkOptions
        >>> network = DsrNetwork(NetworkOptions(backbone="resnet_slim"), identities=1).eval()
        >>> matcher = DsrMatcher(network, image_size=(128, 64), scales=(1, 2, 3))
        >>> gallery = matcher.embed([torch.rand(3, 128, 64), torch.rand(3, 200, 90)])
        >>> probes = matcher.embed([torch.rand(3, 70, 64)], role="probe")
        >>> matcher.distances(probes, gallery).shape
        torch.Size([1, 2])
    """

    embedding = "map"

    def __init__(
        self,
        network: DsrNetwork,
        image_size: Size,
        *,
        scales: Sequence[int] = (1,),
        beta: float = 0.4,
        probe_scale: float = 1.0,
        name: str | None = None,
        batch_size: int = 64,
    ) -> None:
        self.network = network
        self.image_size = image_size
        self.scales = tuple(scales)
        self.beta = beta
        self.probe_scale = probe_scale
        self.name = name or ("DSR single-scale" if self.scales == (1,) else "DSR multi-scale")
        self.batch_size = batch_size

    def embed(self, images: Iterable[Tensor], *, role: Role = "gallery", progress: bool = False) -> list[Tensor]:
        """The map (C, h, w) of each image, of its own size on the probe side."""
        scaled = (self._scaled(image, role) for image in images)
        return embed_in_batches(
            self.network, scaled, batch_size=self.batch_size, progress=progress, device=device_of(self.network)
        )

    def distances(self, probes: Sequence[Tensor], gallery: Sequence[Tensor], *, progress: bool = False) -> Tensor:
        """(P, G) mean reconstruction errors."""
        with torch.inference_mode():
            return reidops.dsr_distance(probes, gallery, self.beta, scales=self.scales, progress=progress).cpu()

    def explain(self, probe: Tensor, gallery: Tensor) -> Reconstruction:
        """Error of every probe block and the coefficients that rebuilt it."""
        probe, gallery = self._scaled(probe, "probe"), self._scaled(gallery, "gallery")
        with torch.inference_mode():
            device = device_of(self.network)
            probe_blocks, probe_grids = block_set(self.network(probe[None].to(device))[0], self.scales)
            gallery_blocks, gallery_grids = block_set(self.network(gallery[None].to(device))[0], self.scales)
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

    def _scaled(self, image: Tensor, role: Role) -> Tensor:
        return resize_image(image, *self.image_size) if role == "gallery" else rescale(image, self.probe_scale)


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
    height, width = _size(maps)
    grids = tuple(BlockGrid(height, width, size) for size in scales if size <= min(height, width))
    if not grids:
        raise ValueError(f"block_set: no block of scales {tuple(scales)} fits a map of {height}x{width}")
    columns = [F.avg_pool2d(maps, grid.size, stride=1).flatten(-2) for grid in grids]
    return torch.cat(columns, dim=-1), grids


def _size(image: Tensor) -> Size:
    height, width = image.shape[-2:]
    return int(height), int(width)
