"""The recipe of STNReID: what all recipes have, its network, and how the STN module is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from reidops_models.recipe import Loss, Recipe, Section


class NetworkOptions(Section):
    """The ReID module's trunk; the localisation network is table 1's for images of the recipe's size."""

    backbone: Literal["resnet18", "resnet50", "resnet_slim"]
    last_stride: Literal[1, 2] | None = Field(
        default=None, description="of the trunk's last stage; None: as the backbone has it"
    )
    weights: str | None = Field(
        default=None, description="file of torchvision's ImageNet weights to start training from"
    )
    align_corners: bool = Field(
        default=False, description="whether theta's -1 and 1 are the centres of the corner pixels, as in 2019's torch"
    )


class Stn(Section):
    """Training with the STN module, eq. 6: triples of a holistic image, a partial one and the affined one."""

    weight: float = Field(default=1.0, ge=0, description="of L_STN (eq. 5) beside the ReID losses; the paper's is 1")
    supervision: Literal["features", "boxes"] = Field(
        default="features", description="eq. 5, or (ours, not the paper's) the true theta of each pair"
    )
    holistic: Literal["same", "other"] = Field(
        default="same",
        description="the image that the partial one was cut from, as in the paper, or another of the person",
    )
    frozen: Literal["none", "stn", "reid"] = Field(
        default="none", description="the module that keeps its weights: stn in the second stage"
    )
    rate: float = Field(default=1.0, gt=0, description="the localisation network's rate, relative to the optimiser's")

    @model_validator(mode="after")
    def _something_learns(self) -> Stn:
        if self.supervision == "boxes" and self.frozen == "stn":
            raise ValueError("supervision: boxes teach the STN module, which is frozen")
        return self


class Matching(Section):
    metric: Literal["euclidean", "cosine"] = Field(default="euclidean", description="distance of two features")
    beta: float = Field(default=0.4, gt=0, description="sparsity of the rival DSR")
    half: Literal["none", "float16", "bfloat16"] = Field(
        default="none", description="type in which the rival DSR keeps its maps, in half the bits; none: float32"
    )


class StnreidRecipe(Recipe):
    """Without `stn`, a ReID module alone, such as the strong one of the second stage. With it, eq. 6 on triples."""

    model: Literal["stnreid"]
    losses: tuple[Loss, ...]
    network: NetworkOptions
    stn: Stn | None = None
    matching: Matching = Matching()

    @property
    def needs_start(self) -> bool:
        """A frozen module needs pre-trained weights, so a start checkpoint is required."""
        if self.stn is None:
            return False
        return self.stn.frozen == "stn" or (self.stn.frozen == "reid" and self.stn.supervision == "features")

    @model_validator(mode="after")
    def _reid_losses(self) -> StnreidRecipe:
        learns = self.stn is None or self.stn.frozen != "reid"
        if learns and not self.losses:
            raise ValueError("losses: expected one or more, for the ReID module learns")
        if self.losses and not learns:
            raise ValueError("losses: expected none, for stn.frozen keeps the ReID module as it is")
        return self

    @model_validator(mode="after")
    def _triples(self) -> StnreidRecipe:
        if self.stn is None:
            return self
        if self.images.partial:
            raise ValueError("images.partial: the holistic image of a triple is whole; stn cuts the partial one itself")
        if self.stn.holistic == "other" and self.batches.images_per_identity:
            raise ValueError("batches.images_per_identity: pairs with stn.holistic other are drawn plainly")
        if self.stn.holistic == "other" and (self.images.flip or self.images.shift):
            raise ValueError("images.flip, images.shift: two images of a person must not be moved apart")
        return self
