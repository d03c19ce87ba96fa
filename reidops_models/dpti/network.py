"""The network of DPTI (fig. 1): templates from the maps of one stage, parts from those of the last."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reidops_models.backbones import build_backbone
from reidops_models.dpti.attention import AttentionEncoder
from reidops_models.dpti.recipe import NetworkOptions
from reidops_models.dpti.templates import DynamicTemplates, GridTemplates, StaticTemplates, Templates


class DptiPredictions(NamedTuple):
    """logits (B, identities), the descriptors (B, C) they were made from, and the part vectors (B, N, d)."""

    logits: Tensor
    features: Tensor
    parts: Tensor


class DptiDescription(NamedTuple):
    """What a batch of images is described by.

    Attributes:
        whole: (B, d) the global descriptor.
        parts: (B, N, d) the part vectors f_p, weighted where the network weighs them; N is 0 for G of table 4.
        templates: what the parts were found by; None for G.
        size: (h, w) of the map whose locations `templates.correlations` are of.
    """

    whole: Tensor
    parts: Tensor
    templates: Templates | None
    size: tuple[int, int]

    def descriptor(self) -> Tensor:
        """(B, (N + 1) d): the global descriptor, then the parts."""
        return torch.cat((self.whole, self.parts.flatten(1)), dim=1)


class DptiNetwork(nn.Module):
    """A trunk, part templates from its middle, and the part attention module on its last maps.

    Args:
        options: the trunk, and which of table 4's variants.
        image_size: (height, width) to which images are resized.
        identities: number of training identities.

    Example:
        >>> network = DptiNetwork(NetworkOptions(backbone="resnet50"), (256, 128), identities=751).eval()
        >>> images = torch.rand(2, 3, 256, 128)
        >>> network.embed(images).shape  # (N + 1) d, of unit length
        torch.Size([2, 2304])
        >>> network.describe(images).templates.presence().shape
        torch.Size([2, 8])
    """

    def __init__(self, options: NetworkOptions, image_size: tuple[int, int], identities: int) -> None:
        super().__init__()
        self.options = options
        self.image_size = image_size
        stride = {} if options.backbone.startswith("osnet") else {"last_stride": options.last_stride or 1}
        self.backbone = build_backbone(options.backbone, **stride)
        d = options.dimensions
        shape = {"heads": options.heads, "width": options.feed_forward}
        self.reduction = nn.Conv2d(self.backbone.channels, d, 1)
        self.encoder = AttentionEncoder(d, **shape)
        self.templates = _templates(options)
        if isinstance(self.templates, DynamicTemplates | GridTemplates):
            self.middle_reduction = nn.Conv2d(self.backbone.stage_channels[options.stage - 1], d, 1)
            self.middle_encoder = AttentionEncoder(d, **shape)
        if self.templates is not None:
            self.part_attention = AttentionEncoder(d, **shape)
        self.neck = nn.BatchNorm1d(self.width) if options.neck else nn.Identity()
        self.classifier = nn.Linear(self.width, identities)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    @property
    def width(self) -> int:
        """Of a descriptor: (N + 1) d."""
        parts = 0 if self.templates is None else self.options.parts
        return (parts + 1) * self.options.dimensions

    def describe(self, images: Tensor) -> DptiDescription:
        """(B, 3, H, W) in [0, 1] -> global descriptor, parts and templates."""
        stages = self.backbone.stage_maps(images)
        last = _locations(self.reduction(stages[-1]))
        attended = self.encoder(last, last)  # F_a
        whole = attended.mean(dim=1)
        middle = stages[self.options.stage - 1]
        size = (middle.shape[2], middle.shape[3])
        templates = self._found(middle, size)
        if templates is None:
            return DptiDescription(whole, whole.new_zeros(len(whole), 0, whole.shape[1]), None, size)
        parts = self.part_attention(templates.vectors, attended)
        if self.options.weighting:
            parts = parts * templates.presence()[:, :, None]  # N rho_i f_i, eq. 8
        return DptiDescription(whole, parts, templates, size)

    def _found(self, middle: Tensor, size: tuple[int, int]) -> Templates | None:
        if self.templates is None:
            return None
        if isinstance(self.templates, StaticTemplates):
            return self.templates(len(middle))
        reduced = _locations(self.middle_reduction(middle))
        return self.templates(self.middle_encoder(reduced, reduced), size)

    def embed(self, images: Tensor) -> Tensor:
        """Descriptors (B, (N + 1) d) of unit length: their product is the cosine."""
        return F.normalize(self.describe(images).descriptor(), dim=1)

    forward = embed

    def classify(self, images: Tensor) -> DptiPredictions:
        """(B, 3, H, W) in [0, 1] -> identity logits, descriptors and parts, for training.

        With a neck, what is classified is the descriptor under batch normalisation, as in FastReID's heads; what is
        compared, here and in a search, is the descriptor.
        """
        described = self.describe(images)
        descriptor = described.descriptor()
        return DptiPredictions(self.classifier(self.neck(descriptor)), descriptor, described.parts)

    def attention(self, images: Tensor) -> Tensor:
        """(B, N, h, w): where each template looks; each map has the sum 1.

        Of dynamic templates, the softmax of eq. 6, over the middle maps (figure 3). Of the others, the mean over the
        heads of the part attention module's, over the last maps.
        """
        described = self.describe(images)
        if described.templates is None:
            raise ValueError("attention: a network without templates has no parts to attend to")
        if described.templates.correlations is not None:
            return described.templates.correlations.softmax(dim=2).unflatten(2, described.size)
        maps = self.reduction(self.backbone(images))
        last = _locations(maps)
        weights = self.part_attention.weights(described.templates.vectors, self.encoder(last, last))
        return weights.unflatten(2, (maps.shape[2], maps.shape[3]))


def _templates(options: NetworkOptions) -> DynamicTemplates | GridTemplates | StaticTemplates | None:
    """D, P, T or G of table 4."""
    if options.templates == "dynamic":
        return DynamicTemplates(options.parts, options.dimensions)
    if options.templates == "grid":
        return GridTemplates(options.parts)
    return StaticTemplates(options.parts, options.dimensions) if options.templates == "static" else None


def _locations(maps: Tensor) -> Tensor:
    """Maps (B, d, h, w) -> locations (B, h w, d), row by row."""
    return maps.flatten(2).mT
