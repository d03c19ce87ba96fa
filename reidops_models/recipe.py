"""Recipes: a YAML file per experiment, read into typed sections.

A key that does not exist and a value of the wrong type are errors that name the key: a misspelt option must not train
with the default in silence.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, ClassVar, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from reidops_models.paper import find_paper, paper_names, usable_papers


class RecipeError(ValueError):
    """A recipe that cannot be used; the message is one line that names the file and the key."""


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


class Recipe(Section):
    """What all papers share; a paper's own recipe adds its network and its matching."""

    model: str
    images: Images
    batches: Batches = Batches()
    losses: tuple[Loss, ...] = Field(min_length=1)
    optimizer: Optimizer
    schedule: Schedule = Schedule()
    training: Training

    @property
    def continues(self) -> bool:
        """Whether training goes on from a trained model; a paper's recipe says when."""
        return False

    @model_validator(mode="after")
    def _pairs_to_compare(self) -> Recipe:
        comparing = [loss.name for loss in self.losses if loss.name != "cross_entropy"]
        if comparing and self.batches.images_per_identity < 2:
            raise ValueError(f"batches.images_per_identity: {comparing[0]} needs 2 or more, for it compares images")
        return self


def load_recipe(source: str | Path) -> Recipe:
    """Read a recipe from a YAML file, or a packaged one by name (`dsr/demo`).

    Raises:
        RecipeError: no such file, not YAML, an unknown key, or a value of the wrong type.

    Example:
        >>> load_recipe("dsr/demo").training.seed
        0
    """
    path = _find(source)
    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except RecursionError as error:
        raise RecipeError(f"{path}: nested too deeply") from error
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path}: not UTF-8 text") from error
    return parse_recipe(values, origin=str(path))


def parse_recipe(values: Any, origin: str = "recipe") -> Recipe:
    """A recipe from its values, which a YAML or JSON file gave.

    Args:
        values: a dictionary of sections; `model` in it says of which paper.
        origin: begins the message of an error.

    Raises:
        RecipeError: an unknown model or key, or a value of the wrong type.

    Example:
        >>> values = load_recipe("dsr/demo").model_dump(mode="json")
        >>> values["matching"]["beta"] = 0.0
        >>> parse_recipe(values)
        Traceback (most recent call last):
        reidops_models.recipe.RecipeError: recipe: matching.beta: Input should be greater than 0, got 0.0
    """
    if not isinstance(values, dict):
        raise RecipeError(f"{origin}: expected keys and values, got {type(values).__name__}")
    name = values.get("model")
    if not isinstance(name, str) or name not in paper_names():
        raise RecipeError(f"{origin}: model: unknown {name!r}; known: {', '.join(paper_names())}")
    try:
        # Through JSON, where strict typing still lets a list be a tuple.
        text = json.dumps(values, default=str)
    except (TypeError, ValueError, RecursionError) as error:  # keys of odd types, values that hold themselves
        raise RecipeError(f"{origin}: not plain keys and values: {error}") from error
    try:
        return find_paper(name).recipe.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise RecipeError(f"{origin}: {'; '.join(_one_line(item) for item in error.errors())}") from error


def _one_line(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown key"
    if item["type"] == "missing":
        return f"{key}: missing"
    if item["type"] == "value_error":  # of a section as a whole, which is too long to repeat
        return f"{key}: {item['ctx']['error']}".removeprefix(": ")
    return f"{key}: {item['msg']}, got {item['input']!r}"


def _find(source: str | Path) -> Path:
    path = Path(source)
    if path.suffix in (".yaml", ".yml"):
        return path
    model, _, name = str(source).partition("/")
    if model in paper_names() and name:
        packaged = find_paper(model).folder / "recipes" / f"{name}.yaml"
        if packaged.is_file():
            return packaged
    known = [
        f"{paper.name}/{file.stem}"
        for paper in usable_papers()
        for file in sorted((paper.folder / "recipes").glob("*.yaml"))
    ]
    raise RecipeError(f"{source}: neither a .yaml file nor a packaged recipe ({', '.join(known)})")


class _Loader(yaml.SafeLoader):
    """YAML 1.1 takes 2e-3 for a string; this one reads it as YAML 1.2 does."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)
