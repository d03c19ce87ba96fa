"""The network of MGRe (fig. 2): regions and features behind every residual block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reidops_models.backbones import ResNet, build_backbone
from reidops_models.backbones.base import initialise
from reidops_models.backbones.resnet import Bottleneck
from reidops_models.mgre.modules import Embedding, LocationModule, sample_regions
from reidops_models.mgre.recipe import NetworkOptions
from reidops_models.mgre.regions import Region, region_boxes, regions_of

PAPERS_SIZE = (256, 128)  # of the images for which table 1 gives the sampled sizes
LAST = 4
GUIDED = (1, 2)  # stages whose maps block 4's are added to


class MgrePredictions(NamedTuple):
    """Of every stage, by its number: logits (B, identities) and features (B, 512); boxes (B, R, 4) where located."""

    logits: dict[int, Tensor]
    features: dict[int, Tensor]
    boxes: dict[int, Tensor]


class MgreDescription(NamedTuple):
    """What the network makes of a batch on the way to its features.

    Attributes:
        maps: of every stage with a feature, by its number: what the embedding pools, a map for each region.
        boxes: (B, R, 4) of every stage with regions, as shares of the image.
    """

    maps: dict[int, list[Tensor]]
    boxes: dict[int, Tensor]


class MgreNetwork(nn.Module):
    """A trunk with a last stride of 1; behind blocks 1 to 3 location, sampling and feature extraction; an embedding a
    stage.

    Args:
        options: which modules.
        image_size: (height, width) to which images are resized; sampled sizes are table 1's in proportion.
        identities: number of training identities.

    Example:
        >>> network = MgreNetwork(NetworkOptions(backbone="resnet50_ibn_a_slim"), (128, 64), identities=152).eval()
        >>> network.embed(torch.rand(2, 3, 128, 64)).shape  # four times 512
        torch.Size([2, 2048])
        >>> {stage: tuple(boxes.shape) for stage, boxes in network.describe(torch.rand(2, 3, 128, 64)).boxes.items()}
        {1: (2, 4, 4), 2: (2, 2, 4), 3: (2, 1, 4)}
    """

    def __init__(self, options: NetworkOptions, image_size: tuple[int, int], identities: int) -> None:
        super().__init__()
        self.options = options
        self.image_size = image_size
        backbone = build_backbone(options.backbone, last_stride=1)
        assert isinstance(backbone, ResNet)
        self.backbone = backbone
        channels, strides = backbone.stage_channels, backbone.stage_strides
        self.featured = (*(options.stages if options.sampling else ()), LAST)
        self.guides, self.locations = nn.ModuleDict(), nn.ModuleDict()
        self.extractors, self.embeddings = nn.ModuleDict(), nn.ModuleDict()
        for stage in options.stages:
            wide = channels[stage - 1]
            size = (image_size[0] // strides[stage - 1], image_size[1] // strides[stage - 1])
            if stage in GUIDED:
                self.guides[str(stage)] = nn.Conv2d(channels[-1], wide, 1)
            if options.locates:
                regions = regions_of(stage)
                sizes = [self._size(one) for one in regions]
                self.locations[str(stage)] = LocationModule(wide, size, regions, sizes, options.location_width)
            if options.sampling:
                source = channels[-1] if options.features == "last" else wide
                count = 1 if options.regions == "whole" else len(regions_of(stage))
                self.extractors[str(stage)] = nn.ModuleList(Bottleneck(source, source // 4, 1) for _ in range(count))
                self.embeddings[str(stage)] = Embedding(count * source, options.dimensions, identities)
        self.embeddings[str(LAST)] = Embedding(channels[-1], options.dimensions, identities)
        initialise(self.guides)
        initialise(self.extractors)

    def describe(self, images: Tensor, poses: Tensor | None = None) -> MgreDescription:
        """Regions and their maps.

        Args:
            images: (B, 3, H, W) in [0, 1].
            poses: (B, 17, 3) joints, x and y as shares of the image, and v; for a network that takes boxes.

        Raises:
            ValueError: a network that takes boxes, and no joints.
        """
        stages = dict(enumerate(self.backbone.stage_maps(images), start=1))
        last = stages[LAST]
        maps: dict[int, list[Tensor]] = {LAST: [last]}
        boxes: dict[int, Tensor] = {}
        for stage in self.options.stages:
            own = self.guided(stage, stages[stage], last)
            if self.options.regions == "parts":
                boxes[stage] = self._boxes(stage, own, poses)
            if self.options.sampling:
                source = last if self.options.features == "last" else own
                found = [source]
                if self.options.regions == "parts":
                    found = sample_regions(source, boxes[stage], self.sizes(stage))
                extractors = self.extractors[str(stage)]
                assert isinstance(extractors, nn.ModuleList)
                maps[stage] = [extract(one) for extract, one in zip(extractors, found, strict=True)]
        return MgreDescription(maps, boxes)

    def features(self, described: MgreDescription) -> dict[int, Tensor]:
        """(B, 512) of every stage that has a feature, by its number."""
        return {stage: self.embedding(stage)(described.maps[stage]) for stage in self.featured}

    def embed(self, images: Tensor, poses: Tensor | None = None) -> Tensor:
        """The final feature, eq. 6, (B, 512 a stage), of unit length; arguments as of `describe`."""
        return self.combine(self.features(self.describe(images, poses)))

    def combine(self, features: Mapping[int, Tensor]) -> Tensor:
        """Eq. 6: the features of the stages, each of unit length, weighted and side by side; of unit length again."""
        weights = self.options.weighting
        parts = [weights[stage - 1] * F.normalize(features[stage], dim=1) for stage in self.featured]
        return F.normalize(torch.cat(parts, dim=1), dim=1)

    forward = embed

    def classify(self, images: Tensor, poses: Tensor | None = None) -> MgrePredictions:
        """Logits and features of every stage, and boxes, for training; arguments as of `describe`."""
        described = self.describe(images, poses)
        features = self.features(described)
        logits = {stage: self.embedding(stage).classify(feature) for stage, feature in features.items()}
        return MgrePredictions(logits, features, described.boxes)

    def embedding(self, stage: int) -> Embedding:
        """The embedding of a stage."""
        found = self.embeddings[str(stage)]
        assert isinstance(found, Embedding)
        return found

    def regions(self) -> Mapping[int, tuple[Region, ...]]:
        """The regions of every stage that has some."""
        return {stage: regions_of(stage) for stage in self.options.stages if self.options.regions == "parts"}

    def guided(self, stage: int, maps: Tensor, last: Tensor) -> Tensor:
        """Maps of blocks 1 and 2 with block 4's, upsampled and through a convolution, added."""
        if stage not in GUIDED:
            return maps
        larger = F.interpolate(last, maps.shape[-2:], mode="bilinear", align_corners=False)
        guided: Tensor = maps + self.guides[str(stage)](larger)
        return guided

    def _boxes(self, stage: int, maps: Tensor, poses: Tensor | None) -> Tensor:
        if self.options.boxes == "located":
            boxes: Tensor = self.locations[str(stage)](maps)
            return boxes
        if poses is None:
            raise ValueError("MgreNetwork: poses: a network of given boxes needs the joints of every image")
        found, there = region_boxes(poses.to(maps), regions_of(stage))
        return torch.where(there[..., None], found, self.predefined(stage, maps))

    def predefined(self, stage: int, maps: Tensor) -> Tensor:
        """(R, 4): boxes of the predefined centres and the sampled sizes, of the dtype and device of `maps`."""
        height, width = (size // self.backbone.stage_strides[stage - 1] for size in self.image_size)
        rows = []
        for region in regions_of(stage):
            (x, y), (tall, wide) = region.centre, self._size(region)
            half_width, half_height = wide / width / 2, tall / height / 2
            rows.append((x - half_width, y - half_height, x + half_width, y + half_height))
        return maps.new_tensor(rows)

    def _size(self, region: Region) -> tuple[int, int]:
        """Of the sampled maps of a region of its own stage: table 1's, in proportion to the image."""
        (rows, columns), (height, width) = region.size, self.image_size
        return max(1, rows * height // PAPERS_SIZE[0]), max(1, columns * width // PAPERS_SIZE[1])

    def sizes(self, stage: int) -> list[tuple[int, int]]:
        """Of a stage's regions; smaller in proportion where they are sampled from block 4's maps."""
        sizes = [self._size(region) for region in regions_of(stage)]
        if self.options.features == "own":
            return sizes
        shrunk = self.backbone.stride // self.backbone.stage_strides[stage - 1]
        return [(max(1, rows // shrunk), max(1, columns // shrunk)) for rows, columns in sizes]
