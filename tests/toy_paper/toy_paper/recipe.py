"""The recipe: what all recipes have, the stripes, and one option of matching."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from reidops_models.recipe import Recipe, Section


class NetworkOptions(Section):
    stripes: PositiveInt = Field(default=4, description="horizontal stripes of an image")


class Matching(Section):
    contrast: float = Field(default=1.0, gt=0, description="factor of every distance")


class ToyRecipe(Recipe):
    model: Literal["toy"]
    network: NetworkOptions = NetworkOptions()
    matching: Matching = Matching()
