"""The recipe of CSN: what all recipes have, its network, its pairs and its objective."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, field_validator

from reidops_models.recipe import Loss, Recipe, Section

Level = Literal[2, 3, 4]


class NetworkOptions(Section):
    """Table 1. Level 4, where it is asked for, follows a fourth convolution (sec. 3.2, model extension)."""

    channels: tuple[PositiveInt, PositiveInt] = Field(
        default=(32, 96), description="maps of conv1, and of all later convolutions of the trunk"
    )
    levels: tuple[Level, ...] = Field(default=(2, 3), min_length=1, description="whose maps are compared")
    part_sizes: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        default=(10, 5, 5), description="side of the parts at levels 2, 3 and 4; the paper's f"
    )
    stripes: Literal[1, 3] = Field(default=3, description="overlapping stripes, of each of which a part is taken")
    localisation: Literal["learnt", "central"] = Field(
        default="learnt", description="how a part is found: by a localisation net, or always in the stripe's middle"
    )

    @field_validator("levels")
    @classmethod
    def _rising(cls, levels: tuple[Level, ...]) -> tuple[Level, ...]:
        if list(levels) != sorted(set(levels)):
            raise ValueError(f"expected different levels, the lowest first, got {list(levels)}")
        return levels


class Pairs(Section):
    """Sec. 4.2: two negative pairs for each positive one, and several variations of each image."""

    negatives: PositiveInt = Field(default=2, description="pairs of two people for each pair of one")
    copies: PositiveInt = Field(default=1, description="times that an epoch has each positive pair, varied each time")
    across_cameras: bool = Field(
        default=True, description="positive pairs are of two cameras, where a person was seen by two"
    )


class Objective(Section):
    """Eq. 6: classification of pairs, and ranking; and what holds the localisation nets (sec. 4.2)."""

    ranking: float = Field(default=1.0, ge=0, description="weight of the contrastive loss, eq. 4")
    margin: float = Field(default=1.0, gt=0, description="of eq. 4")
    prior: float = Field(default=1.0, ge=0, description="weight of positive scales and of parts that stay inside")
    rotation: float = Field(default=1.0, ge=0, description="weight of |r_w| + |r_h|")


class Matching(Section):
    """Eq. 7."""

    ranking: float = Field(default=0.2, ge=0, description="lambda, the weight of 1 / (d + epsilon)")
    epsilon: float = Field(default=1e-4, gt=0, description="of eq. 7")


class CsnRecipe(Recipe):
    """`batches.size` counts pairs, positive and negative."""

    model: Literal["csn"]
    losses: tuple[Loss, ...] = Field(default=(), max_length=0)  # `objective` has them
    network: NetworkOptions = NetworkOptions()
    pairs: Pairs = Pairs()
    objective: Objective = Objective()
    matching: Matching = Matching()
