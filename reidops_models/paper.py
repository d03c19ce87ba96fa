"""What a paper offers, and where papers are found.

A paper's package has one object of a class derived from :class:`Paper`. Everything that papers share (recipes,
checkpoints, training, matching, the command line) asks that object, and finds it by the name that stands in a recipe
or a checkpoint. Each distribution declares its papers as entry points, so a new paper needs no change here:

    [project.entry-points."reidops.papers"]
    toy = "toy_paper:PAPER"

This module imports no paper and no torch: the names alone cost milliseconds.
"""

from __future__ import annotations

import copy
import inspect
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

if TYPE_CHECKING:
    from lightning import LightningDataModule, LightningModule
    from pydantic.fields import FieldInfo
    from torch import Tensor, nn

    from reidops_models.matching import Matcher
    from reidops_models.recipe import Recipe
    from reidops_models.training.data import TrainingImages

GROUP = "reidops.papers"  # of entry points

RecipeT = TypeVar("RecipeT", bound="Recipe")
NetworkT = TypeVar("NetworkT", bound="nn.Module")


class PaperError(ValueError):
    """A paper that is installed and cannot be used; the message is one line that names the distribution."""


@dataclass(frozen=True)
class Methods:
    """The rows of a paper's table that need no more than its network.

    Attributes:
        main: the paper's method in full. `match` and the report show this one.
        others: the rows that a table prints before it: simpler methods, and parts of the method.
        quick: a method by vectors on the same network, in whose order images come to `main` where it ranks a shortlist
            only. None: `main` itself compares vectors.

    Iterating gives the rows in the order of the table: the others, then the method.

    Example:
        >>> from reidops_models.checkpoint import load_checkpoint, shipped_checkpoint
        >>> methods = load_checkpoint(shipped_checkpoint("stnreid")).methods()
        >>> methods.main.name, [matcher.name for matcher in methods]
        ('STNReID', ['ReID module alone', 'STNReID'])
    """

    main: Matcher
    others: tuple[Matcher, ...] = ()
    quick: Matcher | None = None

    def __iter__(self) -> Iterator[Matcher]:
        return iter((*self.others, self.main))


class Paper(ABC, Generic[RecipeT, NetworkT]):
    """What a paper's package offers to everything that papers share.

    A paper derives a class, sets `name` and `recipe`, and writes `build_network` and `build_methods`. Each other
    method has a default, which fits a network that is trained as a classifier of identities. Lightning takes seconds
    to import, so a paper imports its training in the body of `build_module` and `build_data`.

    Attributes:
        name: as in recipes, in checkpoints and on the command line; the entry point has the same name.
        recipe: the class of its recipes.
        other_options: the options of the recipe's `matching` section that only `Methods.others` read.
        rival_options: the options of the recipe's `matching` section that only the rivals read.

    Example:
        >>> paper = find_paper("mgre")
        >>> paper.name, paper.recipe.__name__, paper.has_descriptors
        ('mgre', 'MgreRecipe', True)
    """

    name: ClassVar[str]
    recipe: ClassVar[type[Recipe]]
    other_options: ClassVar[frozenset[str]] = frozenset()
    rival_options: ClassVar[frozenset[str]] = frozenset()

    @property
    def folder(self) -> Path:
        """The folder with `recipes/*.yaml` and `checkpoints/`; by default the folder of the paper's own file."""
        return Path(inspect.getfile(type(self))).parent

    @abstractmethod
    def build_network(self, recipe: RecipeT, identities: int) -> NetworkT:
        """The recipe's network with random weights.

        Args:
            identities: the number of people that the training images show.
        """

    @abstractmethod
    def build_methods(
        self, network: NetworkT, recipe: RecipeT, gallery_sizes: Iterable[tuple[int, int]] | None = None
    ) -> Methods:
        """The paper's method on this network, and the other rows of its table.

        Args:
            gallery_sizes: (height, width) in pixels of each gallery image. The scale of the probes follows from them
                (`reidops_models.matching.probe_scale`). None: the probes have the network's scale already.
        """

    def build_rivals(
        self, network: NetworkT, recipe: RecipeT, gallery_sizes: Iterable[tuple[int, int]] | None = None
    ) -> tuple[Matcher, ...]:
        """The methods of others that the paper compares with; they may be slow. Arguments as of `build_methods`."""
        return ()

    def build_module(self, network: NetworkT, recipe: RecipeT) -> LightningModule:
        """What trains the network; by default an identity classifier, trained by the recipe's losses."""
        from reidops_models.training.module import ReidModule

        return ReidModule(network, recipe)

    def build_data(self, images: TrainingImages, recipe: RecipeT) -> LightningDataModule:
        """The batches that `build_module` trains on; by default images and labels.

        Raises:
            TrainingError: the images make no such batches.
        """
        from reidops_models.training.data import ReidDataModule

        return ReidDataModule(images, recipe)

    def extract(self, network: NetworkT, recipe: RecipeT, images: Tensor) -> Tensor:
        """Descriptors (B, C) of images (B, 3, H, W) of the recipe's size, RGB in [0, 1].

        Descriptors are compared by the Euclidean distance. A paper that compares by the cosine gives them unit
        length. A paper that compares maps or pairs has no such vector, and leaves this method alone.
        """
        raise NotImplementedError(f"{self.name} has no descriptor of an image")

    @property
    def has_descriptors(self) -> bool:
        """Whether the paper has a vector of an image, that is, whether it overrides `extract`."""
        return type(self).extract is not Paper.extract

    def is_identity_weight(self, name: str) -> bool:
        """Whether a weight belongs to the people of the training images.

        Such a weight starts anew where a fine-tuning has another number of people. By default it is a weight of any
        module called `classifier`.

        Args:
            name: a key of the network's `state_dict()`.
        """
        return "classifier" in name.split(".")

    def matching_options(self, *, others: bool = False, rivals: bool = False) -> dict[str, FieldInfo]:
        """The options of matching by name, with type, default and description: the recipe's `matching` section.

        An option that no chosen matcher reads would have no effect, so it is not among them.

        Args:
            others: also the options that only the other rows read (`evaluate`).
            rivals: also the options that only the rivals read (`evaluate --rivals`).

        Example:
            >>> stnreid = find_paper("stnreid")  # the rival there is DSR, with options of its own
            >>> list(stnreid.matching_options()), list(stnreid.matching_options(rivals=True))
            (['metric'], ['metric', 'beta', 'half'])
        """
        section = self.recipe.model_fields.get("matching")
        if section is None or section.annotation is None:
            return {}
        read = frozenset[str]()
        read |= self.other_options if others else frozenset()
        read |= self.rival_options if rivals else frozenset()
        unread = (self.other_options | self.rival_options) - read
        return {name: field for name, field in section.annotation.model_fields.items() if name not in unread}

    def tiny(self, values: dict[str, Any]) -> dict[str, Any]:
        """A recipe's values, changed so that training takes seconds: for tests and rehearsals.

        Args:
            values: all of a recipe's values, as `recipe.model_dump(mode="json")` gives them. They stay as they are.
        """
        values = copy.deepcopy(values)
        values["training"]["epochs"] = 1
        values["batches"]["size"] = 8
        return values


def paper_names() -> tuple[str, ...]:
    """The names of all installed papers, sorted. No paper is imported.

    Example:
        >>> set(paper_names()) >= {"csn", "dpti", "dsr", "mgre", "stnreid"}
        True
    """
    return tuple(sorted(_offers()))


def find_paper(name: str) -> Paper[Any, Any]:
    """The paper called `name`.

    Raises:
        KeyError: no installed distribution offers such a paper.
        PaperError: a distribution offers it and it cannot be loaded, or two distributions offer it.

    Example:
        >>> find_paper("dsr").recipe.__name__
        'DsrRecipe'
    """
    if name not in _offers():
        none = "none: papers are found by entry points, so reidops must be installed with pip"
        raise KeyError(f"unknown model {name!r}; known: {', '.join(paper_names()) or none}")
    return _load(_offers()[name])


def usable_papers() -> Iterator[Paper[Any, Any]]:
    """All installed papers that can be loaded, in the order of their names; this imports them.

    A paper that cannot be loaded is left out: `find_paper` says what is wrong with it.
    """
    for offers in (_offers()[name] for name in paper_names()):
        try:
            yield _load(offers)
        except PaperError:
            continue


@cache
def _offers() -> dict[str, list[EntryPoint]]:
    """The entry points by the name of the paper; there should be one of each."""
    offers: dict[str, list[EntryPoint]] = {}
    for entry in entry_points(group=GROUP):
        offers.setdefault(entry.name, []).append(entry)
    return offers


def _load(offers: list[EntryPoint]) -> Paper[Any, Any]:
    entry, *more = offers
    if more:
        distributions = " and ".join(sorted(_distribution(offer) for offer in offers))
        raise PaperError(f"the paper {entry.name!r} is offered by several distributions, {distributions}: keep one")
    if entry.value.startswith(f"{__package__}."):  # a mistake of ours deserves its trace
        paper = entry.load()
    else:
        try:
            paper = entry.load()
        except Exception as error:  # whatever somebody else's package raises as it is imported
            reason = f"{entry.value} cannot be loaded: {type(error).__name__}: {error}"
            raise PaperError(f"{_complaint(entry)}: {' '.join(reason.split())}") from error
    if not isinstance(paper, Paper):
        raise PaperError(f"{_complaint(entry)}: {entry.value} is a {type(paper).__name__}, expected a Paper")
    if paper.name != entry.name:
        raise PaperError(f"{_complaint(entry)}: {entry.value} calls itself {paper.name!r}")
    return paper


def _complaint(entry: EntryPoint) -> str:
    return f"the paper {entry.name!r} of the distribution {_distribution(entry)}"


def _distribution(entry: EntryPoint) -> str:
    return "without a name" if entry.dist is None else entry.dist.name
