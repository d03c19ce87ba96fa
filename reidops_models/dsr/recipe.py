"""The recipe of DSR: what all recipes have, its network and its matching."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, field_validator, model_validator

from reidops_models.recipe import Loss, Recipe, Section


def distinct(scales: tuple[int, ...]) -> tuple[int, ...]:
    """The block sizes, if none stands there twice."""
    if len(set(scales)) < len(scales):
        raise ValueError("a block size stands there twice")
    return scales


class NetworkOptions(Section):
    backbone: Literal["fcn", "resnet18", "resnet50", "resnet_slim"]
    last_stride: Literal[1, 2] | None = Field(
        default=None, description="of a ResNet's last stage; None: as the backbone has it"
    )
    weights: str | None = Field(
        default=None, description="file of torchvision's ImageNet weights to start training from"
    )
    l2_normalise: bool = Field(default=True, description="give every map location unit length before matching")

    @model_validator(mode="after")
    def _stride_of_a_resnet(self) -> NetworkOptions:
        if self.last_stride is not None and not self.backbone.startswith("resnet"):
            raise ValueError(f"last_stride is an option of ResNets, not of {self.backbone}")
        return self


class Matching(Section):
    beta: float = Field(default=0.4, gt=0, description="sparsity of eq. 3")
    scales: tuple[PositiveInt, ...] = Field(
        default=(1, 2, 3), min_length=1, description="block sizes of the multi-scale row, sec. 3.4"
    )
    half: Literal["none", "float16", "bfloat16"] = Field(
        default="none", description="type in which maps are kept, in half the bits, and multiplied; none: float32"
    )
    resizing_pool: Literal["flat", "average"] = Field(default="flat", description="feature of the Resizing model")
    resizing_metric: Literal["euclidean", "cosine"] = Field(
        default="euclidean", description="distance of the Resizing model"
    )
    swm_step: PositiveInt | None = Field(
        default=None, description="pixels between SWM's windows; None: the trunk's stride"
    )
    amc_patch: int | None = Field(
        default=None, ge=2, description="side of AMC's patches in pixels; None: two strides, the paper's 64 for its FCN"
    )
    amc_weight: float = Field(default=0.7, ge=0, le=1, description="of AMC in AMC+SWM")

    @field_validator("scales")
    @classmethod
    def _distinct(cls, scales: tuple[int, ...]) -> tuple[int, ...]:
        return distinct(scales)


Share = Annotated[float, Field(gt=0, le=1)]


class FineTuning(Section):
    """Fine-tuning with DSR, eq. 5, on pairs of a holistic image and a patch of another; `batches.size` counts pairs."""

    positive_pairs: PositiveInt = Field(default=3000, description="pairs of one identity; all are one epoch")
    negative_pairs: PositiveInt = Field(default=3000, description="pairs of two identities")
    patch_height: tuple[Share, Share] = Field(
        default=(0.3, 1.0), description="least and largest height of a patch, as a share of the image's"
    )
    patch_width: tuple[Share, Share] = Field(default=(0.3, 1.0), description="likewise its width")
    beta: float = Field(default=0.4, gt=0, description="sparsity of eq. 3; eq. 6 has half of it for the same W")
    scales: tuple[PositiveInt, ...] = Field(default=(1,), min_length=1, description="block sizes on both sides")
    gradient: Literal["constant", "implicit"] = Field(
        default="constant", description="with W held constant, eq. 7, or through it"
    )
    weight: float = Field(default=1.0, gt=0, description="of eq. 5 beside the recipe's `losses`")
    freeze_batch_norm: bool = Field(
        default=False, description="keep the pre-trained statistics; else each side of a batch is normalised by its own"
    )

    @field_validator("patch_height", "patch_width")
    @classmethod
    def _ordered(cls, bounds: tuple[float, float]) -> tuple[float, float]:
        if bounds[0] > bounds[1]:
            raise ValueError(f"expected the least first, got {list(bounds)}")
        return bounds

    @field_validator("scales")
    @classmethod
    def _distinct(cls, scales: tuple[int, ...]) -> tuple[int, ...]:
        return distinct(scales)


class DsrRecipe(Recipe):
    """Without `fine_tuning`, softmax pre-training by `losses`. With it, a fine-tuning by eq. 5, which goes along with
    `losses` on the holistic images, and alone where there are none."""

    model: Literal["dsr"]
    losses: tuple[Loss, ...]
    network: NetworkOptions
    matching: Matching = Matching()
    fine_tuning: FineTuning | None = None

    @property
    def needs_start(self) -> bool:
        """Fine-tuning requires a pre-trained checkpoint."""
        return self.fine_tuning is not None

    @model_validator(mode="after")
    def _pre_training_or_fine_tuning(self) -> DsrRecipe:
        if self.fine_tuning is None:
            if not self.losses:
                raise ValueError("losses: expected one or more, because there is no fine_tuning")
            return self
        if self.batches.images_per_identity:
            raise ValueError("batches.images_per_identity: a fine-tuning draws pairs, not images of an identity")
        if self.images.partial:
            raise ValueError("images.partial: the images of a pair have one scale, which partial would change")
        return self
