"""The papers by name.

A paper's package offers a `PAPER`, and everything that is shared (recipes, checkpoints, training, the command line)
finds it here by the name that stands in a recipe or a checkpoint. Packages are imported when asked for, so that the
shared folders know no paper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from reidops_models.matching import Matcher

if TYPE_CHECKING:
    from reidops_models.recipe import Recipe

PACKAGES = {name: f"reidops_models.{name}" for name in ("csn", "dpti", "dsr", "mgre", "stnreid")}


@dataclass(frozen=True)
class Paper:
    """What a paper's package offers to the shared parts.

    Attributes:
        name: as in recipes and checkpoints.
        recipe: the class of its recipes.
        build_network: (recipe, number of training identities) -> network.
        build_matchers: (network, recipe, sizes (height, width) of the gallery images or None) -> its matchers, the
            rows of its table, the paper's method in full last (`match` and the report show that one); without sizes,
            probes are at the gallery's scale already.
        build_module: (network, recipe) -> LightningModule that trains the network; Lightning is imported only there.
        build_data: (TrainingImages, recipe) -> LightningDataModule with the module's batches; None where they are
            `reidops_models.training.data.ReidDataModule`'s, images and labels.
        build_rivals: as build_matchers; the methods that its tables compare with, which may be slow. None: none.
        extract: (network, recipe, images (B, 3, H, W) of the recipe's size) -> descriptors (B, C) that are compared by
            the Euclidean distance, or, of unit length, by the cosine. None: its images have no vector.
        folder: where its `recipes/` and `checkpoints/` are.
    """

    name: str
    recipe: type[Recipe]
    build_network: Callable[[Any, int], nn.Module]
    build_matchers: Callable[[Any, Any, Iterable[tuple[int, int]] | None], list[Matcher]]
    build_module: Callable[[Any, Any], Any]
    folder: Path
    build_data: Callable[[Any, Any], Any] | None = None
    extract: Callable[[Any, Any, Tensor], Tensor] | None = None
    build_rivals: Callable[[Any, Any, Iterable[tuple[int, int]] | None], list[Matcher]] | None = None


def deferred(module: str, name: str) -> Callable[..., Any]:
    """A function of a module that is imported when it is called, and not before: Lightning takes seconds."""

    def call(*arguments: Any) -> Any:
        return getattr(import_module(module), name)(*arguments)

    return call


def get_paper(name: str) -> Paper:
    """The paper called `name`.

    Raises:
        KeyError: no such paper.

    Example:
        >>> get_paper("dsr").recipe.__name__
        'DsrRecipe'
    """
    if name not in PACKAGES:
        raise KeyError(f"unknown model {name!r}; known: {', '.join(sorted(PACKAGES))}")
    paper: Paper = import_module(PACKAGES[name]).PAPER
    return paper
