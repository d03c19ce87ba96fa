"""What a recipe can say: sections of typed options, shared by all papers.

A key that does not exist and a value of the wrong type are errors. A misspelt option must not train with the default
in silence.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator


class Section(BaseModel):
    """A group of options; knows no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Choice(Section):
    """A section of which there are several kinds, by `name`.

    `only` says which options belong to some kinds alone: one that is set where it has no effect is an error, too.
    """

    name: str
    only: ClassVar[dict[str, tuple[str, ...]]] = {}

    @model_validator(mode="after")
    def _no_idle_options(self) -> Choice:
        for option, names in self.only.items():
            if self.name not in names and getattr(self, option) != type(self).model_fields[option].default:
                raise ValueError(f"{option} is an option of {' and '.join(names)} only")
        return self


class Images(Section):
    """How training images are prepared. Augmentation is drawn per image and runs on whole batches, on the device."""

    size: tuple[PositiveInt, PositiveInt] = Field(
        description="(height, width) to which training and gallery images are resized"
    )
    flip: float = Field(default=0.5, ge=0, le=1, description="probability of a mirror image")
    shift: float = Field(default=0.0, ge=0, lt=1, description="largest shift, as a fraction of height and of width")
    jitter: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="largest relative change of brightness and contrast; half of it, of each channel",
    )
    partial: float = Field(
        default=0.0, ge=0, le=1, description="probability of cropping 20 to 60 % away and resizing the rest"
    )
    augmix: float = Field(default=0.0, ge=0, le=1, description="probability of AugMix")
    erase: float = Field(default=0.0, ge=0, le=1, description="probability of random erasing")
    cache: bool = Field(default=False, description="keep decoded images in memory")
    workers: int = Field(default=0, ge=0, description="processes that decode images; 0 decodes in the main process")


class Batches(Section):
    """Plain shuffling, or P identities x K images where a loss compares images."""

    size: int = Field(default=64, gt=1)
    images_per_identity: int = Field(default=0, ge=0, description="K of PK sampling; 0 shuffles plainly")

    @model_validator(mode="after")
    def _whole_identities(self) -> Batches:
        if self.images_per_identity and self.size % self.images_per_identity:
            raise ValueError(f"size {self.size} is not a multiple of images_per_identity {self.images_per_identity}")
        return self


class Loss(Choice):
    """One term of the training loss, by name (`reidops_models.training.losses.LOSSES`)."""

    name: Literal["cross_entropy", "triplet", "contrastive"]
    weight: float = 1.0
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    margin: float = Field(default=0.3, ge=0)

    only = {"label_smoothing": ("cross_entropy",), "margin": ("triplet", "contrastive")}


class Optimizer(Choice):
    name: Literal["sgd", "adam", "adamw"]
    lr: float = Field(gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)

    only = {"momentum": ("sgd",)}


class Schedule(Choice):
    name: Literal["constant", "one_cycle", "step"] = "constant"
    milestones: tuple[int, ...] = Field(default=(), description="epochs after which the rate is multiplied by gamma")
    gamma: float = Field(default=0.1, gt=0)
    warmup_epochs: int = Field(default=0, ge=0, description="epochs of linear warm-up to the rate")
    warmup_start: float = Field(default=0.1, gt=0, le=1, description="of the rate, where warm-up starts")

    only = dict.fromkeys(("milestones", "gamma", "warmup_epochs", "warmup_start"), ("step",))


class Training(Section):
    """How long, and what goes to Lightning's Trainer."""

    epochs: int = Field(gt=0)
    seed: int = Field(default=0, ge=0, lt=2**32)
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = Field(default="32-true", description="as Lightning's")
    accelerator: str = "auto"
    devices: int | str = "auto"
    strategy: str = Field(default="auto", description="ddp for several devices")
    gradient_clip: float | None = None


class Validation(Section):
    """How often the validation people are searched while a network trains, where the data set has such people.

    It changes no trained weight. It says which epoch was the best one.
    """

    every: int = Field(default=10, ge=0, description="epochs between two searches; 0: never. The last epoch counts too")
    probes: str = Field(default="query", description="the probe set that is searched for")
    limit: int = Field(default=100, gt=0, description="probes at most, spread evenly over the set")


class Recipe(Section):
    """What all papers share; a paper's own recipe adds its network and its matching."""

    model: str
    images: Images
    batches: Batches = Batches()
    losses: tuple[Loss, ...] = Field(min_length=1)
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    training: Training
    validation: Validation = Validation()

    @property
    def needs_start(self) -> bool:
        """Whether training requires a trained checkpoint to start from; a paper's recipe says when."""
        return False

    @model_validator(mode="after")
    def _pairs_to_compare(self) -> Recipe:
        comparing = [loss.name for loss in self.losses if loss.name != "cross_entropy"]
        if comparing and self.batches.images_per_identity < 2:
            raise ValueError(f"batches.images_per_identity: {comparing[0]} needs 2 or more, because it compares images")
        return self
