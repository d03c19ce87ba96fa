"""What holds of a whole gallery, for ever: it is written when the gallery is made, into its schema."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import pyarrow as pa
import torch

from reidops import __version__
from reidops_models.checkpoint import Checkpoint
from reidops_models.gallery.entries import CHECKSUM, FIELDS
from reidops_models.gallery.errors import GalleryError
from reidops_models.gallery.features import DTYPES, Layout, Leaf

FORMAT = 1
KEY = b"reidops"  # of the schema's metadata


@dataclass(frozen=True)
class Facts:
    """What holds of a whole gallery.

    Attributes:
        model: the paper's name.
        method: the name of the method that compares its pictures.
        identity: of the checkpoint (`Checkpoint.identity`).
        layout: the tensors that are kept of each picture.
        version: of reidops, which made it.
    """

    model: str
    method: str
    identity: str
    layout: Layout
    version: str = __version__

    @property
    def dtype(self) -> str:
        """In which floating-point features are kept."""
        return next((leaf.dtype for leaf in self.layout.leaves if leaf.dtype in DTYPES), "float32")

    @property
    def schema(self) -> pa.Schema:
        """Of the dataset."""
        leaves = [leaf._asdict() for leaf in self.layout.leaves]
        values = {**asdict(self), "format": FORMAT, "layout": {"leaves": leaves, "averaged": self.layout.averaged}}
        return pa.schema([*FIELDS, CHECKSUM, *self.layout.fields], {KEY: json.dumps(values)})


def new_facts(checkpoint: Checkpoint, dtype: str) -> Facts:
    """What a new gallery of a checkpoint will be.

    Args:
        checkpoint: makes its features.
        dtype: in which floating-point features are kept, "float16" or "float32".

    Raises:
        GalleryError: another dtype, or the features of a picture are not made of tensors.
    """
    if dtype not in DTYPES:
        raise GalleryError(f"dtype: expected {' or '.join(DTYPES)}, got {dtype!r}")
    matcher = checkpoint.methods().main
    (feature,) = matcher.embed([torch.zeros(3, *checkpoint.recipe.images.size, dtype=torch.float32)])
    try:
        layout = Layout.of(feature, dtype)
    except GalleryError as error:
        raise GalleryError(f"{checkpoint.recipe.model}: {matcher.name}: {error}") from error
    return Facts(checkpoint.recipe.model, matcher.name, checkpoint.identity, layout)


def read_facts(schema: pa.Schema, path: str) -> Facts:
    """The facts in a dataset's schema.

    Raises:
        GalleryError: the dataset is no gallery, or of a later version of reidops.
    """
    try:
        values = json.loads((schema.metadata or {})[KEY])
        found = values.pop("format")
        if found == FORMAT:
            layout = values.pop("layout")
            leaves = tuple(Leaf(**{**leaf, "shape": tuple(leaf["shape"])}) for leaf in layout["leaves"])
            return Facts(**values, layout=Layout(leaves, layout["averaged"]))
    except (KeyError, TypeError, ValueError) as error:
        raise GalleryError(f"{path}: a Lance dataset, but not a gallery of reidops") from error
    raise GalleryError(f"{path}: a gallery of format {found}, this version reads format {FORMAT}")
