"""The recipe of DPTI: what all recipes have, its network, and the diversity loss."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from reidops_models.recipe import Recipe, Section


class NetworkOptions(Section):
    """Fig. 1, and the variants of tables 4 and 5."""

    backbone: Literal[
        "resnet18",
        "resnet50",
        "resnet50_ibn_a",
        "osnet_x1_0",
        "resnet_slim",
        "resnet50_slim",
        "resnet50_ibn_a_slim",
        "osnet_x0_25",
    ]
    last_stride: Literal[1, 2] | None = Field(
        default=None, description="of a ResNet's last stage; None: 1, but for OSNet, which has no such choice"
    )
    weights: str | None = Field(default=None, description="file of ImageNet weights to start training from")
    stage: Literal[1, 2, 3] = Field(default=3, description="l, whose maps the templates are made from")
    dimensions: PositiveInt = Field(default=256, description="d")
    heads: PositiveInt = Field(default=8, description="of every attention but the templates', which has one")
    feed_forward: PositiveInt = Field(default=1024, description="width of every FFN; the paper gives none")
    parts: PositiveInt = Field(default=8, description="N")
    templates: Literal["dynamic", "static", "grid", "none"] = Field(
        default="dynamic", description="table 4: D, T, P, and G, which has a global descriptor only"
    )
    weighting: bool = Field(default=False, description="adaptive part weighting, eq. 8: W of table 4")

    neck: bool = Field(
        default=True,
        description="batch normalisation between descriptor and classifier, which FastReID's heads have and the paper, "
        "built on FastReID, does not mention",
    )

    @model_validator(mode="after")
    def _fits(self) -> NetworkOptions:
        if self.dimensions % self.heads:
            raise ValueError(f"dimensions {self.dimensions} are not a multiple of heads {self.heads}")
        if self.weighting and self.templates != "dynamic":
            raise ValueError(
                f"weighting: needs dynamic templates, whose correlations it weighs by, not {self.templates}"
            )
        if self.backbone.startswith("osnet") and self.last_stride is not None:
            raise ValueError(f"last_stride: {self.backbone} has no such option")
        return self


class Objective(Section):
    """Eq. 9: beside the weights of `losses`, the one of eq. 10."""

    diversity: float = Field(default=1.0, ge=0, description="gamma, the weight of the diversity loss")


class DptiRecipe(Recipe):
    """`losses` are those of the whole descriptor: classification and triplet, with their weights alpha and beta."""

    model: Literal["dpti"]
    network: NetworkOptions
    objective: Objective = Objective()
