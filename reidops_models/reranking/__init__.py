"""Re-ranking: a ranking made better by what the gallery's images say of each other.

Nearest-neighbour lists are all that is held, never a matrix of all pairs. So distances may come from any method.

- `neighbour_lists`: the nearest of each image, from blocks of distances;
- `k_reciprocal`: k-reciprocal re-ranking (Zhong et al., CVPR 2017) of all probes together, as a sparse matrix;
- `ReciprocalGallery`: the same of each probe by itself, against a gallery that is encoded once;
- `expand_distances`, `expand_descriptors`: query expansion.
"""

from __future__ import annotations

from reidops_models.reranking.expansion import expand_descriptors, expand_distances
from reidops_models.reranking.k_reciprocal import Reranked, k_reciprocal
from reidops_models.reranking.neighbours import Blocks, NeighbourLists, Pairs, neighbour_lists
from reidops_models.reranking.reciprocal_gallery import ReciprocalGallery

__all__ = [
    "Blocks",
    "NeighbourLists",
    "Pairs",
    "ReciprocalGallery",
    "Reranked",
    "expand_descriptors",
    "expand_distances",
    "k_reciprocal",
    "neighbour_lists",
]
