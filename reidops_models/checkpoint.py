"""Checkpoints: `NAME.safetensors` with the weights and `NAME.json` with what is needed to build the network again.

Neither file can hold code. Weights may be stored in half the bits; a network is always loaded in float32.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from reidops import __version__
from reidops_models.devices import Device, find_device
from reidops_models.files import replacing
from reidops_models.matching import Matcher, device_of
from reidops_models.paper import Methods, Paper, find_paper, paper_names
from reidops_models.recipe import Recipe, RecipeError, parse_recipe
from reidops_models.weights import state_mismatch

FORMAT = 1


class CheckpointError(ValueError):
    """A checkpoint that cannot be loaded; the message is one line that says which and why."""


@dataclass(frozen=True)
class Checkpoint:
    """A network with the recipe it was trained by.

    Attributes:
        network: in evaluation mode, float32, on the CPU unless it has been moved.
        recipe: the recipe it was trained by.
        identities: the size of its identity classifier.
        notes: anything worth keeping: data set, versions, results.
    """

    network: nn.Module
    recipe: Recipe
    identities: int
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def paper(self) -> Paper[Any, Any]:
        """The paper whose network this is."""
        return find_paper(self.recipe.model)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return device_of(self.network)

    def to(self, device: Device) -> Checkpoint:
        """Move the network itself, as torch does, to where it shall compute. Returns this checkpoint.

        Its matchers follow: they embed and compare where the network is, and give distances on the CPU.

        Args:
            device: `auto` (a GPU where torch sees one), `cpu`, `cuda` or `cuda:N`.

        Raises:
            DeviceError: there is no such device.

        Example:
            >>> load_checkpoint(shipped_checkpoint("dsr")).to("cpu").device
            device(type='cpu')
        """
        self.network.to(find_device(device))
        return self

    @cached_property
    def identity(self) -> str:
        """The model's name and a digest of weights and recipe. Two checkpoints have it in common only if they make the
        same features. How they match, the recipe's section `matching`, is no part of it, nor is where their files are.
        """
        recipe = self.recipe.model_dump(mode="json", exclude={"matching"})
        digest = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
        for name, value in sorted(self.network.state_dict().items()):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        return f"{self.recipe.model}-{digest.hexdigest()[:16]}"

    def methods(self, gallery_sizes: Iterable[tuple[int, int]] | None = None) -> Methods:
        """The paper's method on this network, and the other rows of its table.

        Args:
            gallery_sizes: (height, width) in pixels of each gallery image, from which the scale of the probes follows
                (`reidops_models.matching.probe_scale`). None: the probes have the network's scale already.
        """
        return self.paper.build_methods(self.network, self.recipe, gallery_sizes)

    def rivals(self, gallery_sizes: Iterable[tuple[int, int]] | None = None) -> tuple[Matcher, ...]:
        """The methods that the paper compares with, on this network. Arguments as of :meth:`methods`."""
        return self.paper.build_rivals(self.network, self.recipe, gallery_sizes)

    def matchers(
        self, gallery_sizes: Iterable[tuple[int, int]] | None = None, *, rivals: bool = False
    ) -> list[Matcher]:
        """The rows of the paper's table from top to bottom: its method in full comes last.

        Args:
            gallery_sizes: as of :meth:`methods`.
            rivals: whether the rows of the rivals come first.
        """
        sizes = None if gallery_sizes is None else list(gallery_sizes)
        return [*(self.rivals(sizes) if rivals else ()), *self.methods(sizes)]


def save_checkpoint(path: str | Path, checkpoint: Checkpoint, *, dtype: torch.dtype = torch.float32) -> Path:
    """Write `path.safetensors` and `path.json`; returns the path of the weights.

    Args:
        path: with or without the suffix; missing folders are made.
        dtype: of the stored floating-point weights; float16 halves the file.

    Raises:
        CheckpointError: a weight is too large for `dtype`.

    Example:
        >>> trained = load_checkpoint("runs/demo/model")  # doctest: +SKIP
        >>> save_checkpoint("runs/small/model", trained, dtype=torch.float16)  # doctest: +SKIP
        PosixPath('runs/small/model.safetensors')
    """
    weights, description = _files(path)
    weights.parent.mkdir(parents=True, exist_ok=True)
    state = {name: _stored(name, value, dtype) for name, value in checkpoint.network.state_dict().items()}
    values = {
        "format": FORMAT,
        "model": checkpoint.recipe.model,
        "identities": checkpoint.identities,
        "version": __version__,
        "recipe": checkpoint.recipe.model_dump(mode="json"),
        "notes": checkpoint.notes,
    }
    # Beside and renamed: the old checkpoint stays until the new one is written. `save_file` would give the file to its
    # owner alone.
    for file, content in ((weights, save(state)), (description, (json.dumps(values, indent=2) + "\n").encode())):
        with replacing(file) as unfinished:
            unfinished.write_bytes(content)
    return weights


def load_checkpoint(path: str | Path, *, model: str | None = None, device: Device = "cpu") -> Checkpoint:
    """Load a network and its recipe.

    Args:
        path: either file of the pair, or their common name without a suffix.
        model: the model the caller wants; a checkpoint of another is an error.
        device: where the network shall compute, as of :meth:`Checkpoint.to`.

    Raises:
        DeviceError: there is no such device.
        CheckpointError: a file is missing or damaged, the model is another, or the weights do not fit.

    Example:
        >>> load_checkpoint(shipped_checkpoint("dsr"), model="dsr").recipe.model
        'dsr'
    """
    place = find_device(device)
    weights, description = _files(path)
    for file in (description, weights):
        if not file.is_file():
            raise CheckpointError(f"{path}: no file {file}")
    try:
        values = json.loads(description.read_text(encoding="utf-8"))
        found = values["model"]
        _check_model(path, found, model)  # comes first, because other models may store different fields
        identities, expected_format, recipe_values = values["identities"], values["format"], values["recipe"]
        state = load_file(weights)
    except CheckpointError:
        raise
    except (ValueError, KeyError, TypeError, SafetensorError) as error:  # ValueError: neither JSON nor UTF-8
        raise CheckpointError(f"{path}: not a checkpoint: {type(error).__name__}: {error}") from error
    if type(identities) is not int or identities < 1:  # True is an int, too
        raise CheckpointError(f"{path}: not a checkpoint: {identities!r} identities")
    if expected_format != FORMAT:
        raise CheckpointError(f"{path}: format {expected_format}, this version reads format {FORMAT}")
    try:
        recipe = parse_recipe(recipe_values, origin=str(description))
    except RecipeError as error:
        raise CheckpointError(str(error)) from error
    if recipe.model != found:
        raise CheckpointError(f"{path}: not a checkpoint: it is of {found!r}, and its recipe of {recipe.model!r}")

    # torch.set_default_dtype decides what a new network is of; a checkpoint's is float32.
    network = find_paper(found).build_network(recipe, identities).float()
    if complaint := state_mismatch(network.state_dict(), state):
        raise CheckpointError(f"{path}: the weights do not fit the network: {complaint}")
    network.load_state_dict(state)
    return Checkpoint(network.eval().to(place), recipe, identities, values.get("notes", {}))


def shipped_checkpoint(model: str, name: str = "demo") -> Path:
    """Where the checkpoint that comes with the package is: the path of its weights.

    Raises:
        KeyError: no such model.
    """
    return find_paper(model).folder / "checkpoints" / f"{name}.safetensors"


def _check_model(path: str | Path, found: object, wanted: str | None) -> None:
    if not isinstance(found, str):
        raise CheckpointError(f"{path}: not a checkpoint: its model is called {found!r}")
    if wanted is not None and found != wanted:
        raise CheckpointError(f"{path}: a checkpoint of {found!r}, expected one of {wanted!r}")
    if found not in paper_names():
        raise CheckpointError(f"{path}: a checkpoint of {found!r}, known models: {', '.join(paper_names())}")


def _files(path: str | Path) -> tuple[Path, Path]:
    base = Path(path)
    if not base.name:
        raise CheckpointError(f"{path}: a folder, expected the name of a checkpoint")
    if base.suffix in (".safetensors", ".json"):
        base = base.with_suffix("")
    return base.with_name(base.name + ".safetensors"), base.with_name(base.name + ".json")


def _stored(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    value = value.detach().cpu().contiguous()
    if not value.is_floating_point():
        return value
    stored = value.to(dtype)
    if (stored.isinf() & value.isfinite()).any():
        raise CheckpointError(f"{name}: its values are too large for {dtype}")
    return stored
