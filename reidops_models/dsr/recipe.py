"""The recipe of DSR: what all recipes have, its network and its matching."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from reidops_models.recipe import Recipe, Section


class Network(Section):
    backbone: Literal["fcn", "resnet18", "resnet50", "resnet_slim"]
    last_stride: Literal[1, 2] | None = Field(
        default=None, description="of a ResNet's last stage; None: as the backbone has it"
    )
    weights: str | None = Field(
        default=None, description="file of torchvision's ImageNet weights to start training from"
    )
    l2_normalise: bool = Field(default=True, description="give every map location unit length before matching")

    @model_validator(mode="after")
    def _stride_of_a_resnet(self) -> Network:
        if self.last_stride is not None and not self.backbone.startswith("resnet"):
            raise ValueError(f"last_stride is an option of ResNets, not of {self.backbone}")
        return self


class Matching(Section):
    beta: float = Field(default=0.4, gt=0, description="sparsity of eq. 3")
    scales: tuple[PositiveInt, ...] = Field(
        default=(1, 2, 3), min_length=1, description="block sizes of the multi-scale row, sec. 3.4"
    )
    resizing_pool: Literal["flat", "average"] = Field(default="flat", description="feature of the Resizing model")
    resizing_metric: Literal["euclidean", "cosine"] = Field(
        default="euclidean", description="distance of the Resizing model"
    )

    @field_validator("scales")
    @classmethod
    def _distinct(cls, scales: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(scales)) < len(scales):
            raise ValueError("a block size stands there twice")
        return scales


class DsrRecipe(Recipe):
    model: Literal["dsr"]
    network: Network
    matching: Matching = Matching()
