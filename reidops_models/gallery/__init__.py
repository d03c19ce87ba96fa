"""A gallery that lasts: pictures and their features in a Lance dataset, searched block by block (docs/galleries.md).

`gallery` has the class, `store` its Lance dataset, `entries` and `features` the columns, `adding` how pictures come in,
`search` how probes are ranked, and `nearest` how lists of the best are merged.
"""

from __future__ import annotations

from reidops_models.gallery.adding import Added
from reidops_models.gallery.entries import GalleryEntry
from reidops_models.gallery.errors import GalleryError
from reidops_models.gallery.gallery import Gallery
from reidops_models.gallery.nearest import Nearest, merge_nearest, nearest_of
from reidops_models.gallery.search import EntryMatch, GallerySearch

__all__ = [
    "Added",
    "EntryMatch",
    "Gallery",
    "GalleryEntry",
    "GalleryError",
    "GallerySearch",
    "Nearest",
    "merge_nearest",
    "nearest_of",
]
