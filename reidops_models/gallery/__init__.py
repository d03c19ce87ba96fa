"""A gallery that lasts: pictures and their features in a Lance dataset, searched block by block (docs/galleries.md).

`gallery` has the class, and `reader` the half of it that changes nothing. `store` is its Lance dataset, `facts` what
holds of all of it, `entries` and `features` its columns. `adding` says how pictures come in, `search` how probes are
ranked, `nearest` how lists of the best are merged, and `maintenance` whether it is whole and tidy.
"""

from __future__ import annotations

from reidops_models.gallery.adding import Added
from reidops_models.gallery.entries import GalleryEntry
from reidops_models.gallery.errors import GalleryError, NoGalleryError
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
    "NoGalleryError",
    "merge_nearest",
    "nearest_of",
]
