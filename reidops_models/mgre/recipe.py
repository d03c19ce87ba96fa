"""The recipe of MGRe: what all recipes have, its network, where the joints come from, and eq. 9's weight."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from reidops_models.recipe import Recipe, Section

Stage = Literal[1, 2, 3]


class NetworkOptions(Section):
    """Fig. 2, and the rows of tables 4, 5 and 7."""

    backbone: Literal["resnet50_ibn_a", "resnet50", "resnet50_ibn_a_slim", "resnet50_slim"]
    weights: str | None = Field(default=None, description="file of ImageNet weights to start training from")
    stages: tuple[Stage, ...] = Field(
        default=(1, 2, 3), description="residual blocks with modules behind them; none is the baseline (table 4)"
    )
    features: Literal["own", "last"] = Field(
        default="own", description="whose maps the regions are sampled from: own, or always block 4's (table 5)"
    )
    regions: Literal["parts", "whole"] = Field(
        default="parts", description="what features are made of: located regions, or whole maps (table 5)"
    )
    boxes: Literal["located", "given"] = Field(
        default="located", description="by the location modules, or by a pose estimator in tests, too (table 7, w/o JO)"
    )
    sampling: bool = Field(
        default=True, description="false: regions are located and learnt, and the last feature alone is used (table 7)"
    )
    location_width: PositiveInt = Field(default=224, description="channels inside the location modules")
    dimensions: PositiveInt = Field(default=512, description="of each stage's feature")
    weighting: tuple[float, float, float, float] = Field(
        default=(0.35, 0.5, 0.7, 0.8), description="lambda^F of eq. 6, for stages 1 to 4"
    )

    @field_validator("stages")
    @classmethod
    def _rising(cls, stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
        if list(stages) != sorted(set(stages)):
            raise ValueError(f"expected different stages, the lowest first, got {list(stages)}")
        return stages

    @model_validator(mode="after")
    def _fits(self) -> NetworkOptions:
        if self.regions == "whole" and (self.boxes == "given" or self.features == "last" or not self.sampling):
            raise ValueError("regions: whole maps have no boxes, and are the stages' own")
        if not self.sampling and self.boxes == "given":
            raise ValueError("sampling: without it, and with given boxes, no region is used at all")
        return self

    @property
    def locates(self) -> bool:
        """Whether there are location modules, which learn from joints."""
        return bool(self.stages) and self.regions == "parts" and self.boxes == "located"

    @property
    def takes_boxes(self) -> bool:
        """Whether an image needs its joints in a search, too."""
        return bool(self.stages) and self.boxes == "given"


class Objective(Section):
    """Eq. 9."""

    stages: float = Field(default=1.0, ge=0, description="lambda, the weight of the first three stages' losses")


class MgreRecipe(Recipe):
    """`losses` are those of every stage, L_ID and L_triplet of eq. 7 and 8."""

    model: Literal["mgre"]
    network: NetworkOptions
    keypoints: str = Field(
        default="keypoints.json",
        description="COCO keypoints file of the training images, below the data set's folder",
    )
    objective: Objective = Objective()

    @property
    def needs_joints(self) -> bool:
        """Whether training needs them."""
        return self.network.locates or self.network.takes_boxes
