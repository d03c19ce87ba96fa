"""Galleries that outgrow a machine, on Ray (extra `distributed`; docs/scale.md).

`cluster` connects, and notices when no machine is left. `indexing` adds pictures by a pipeline of Ray Data: `pictures`
has its stages, `fragments` what they write into the Lance dataset. `searching` ranks and evaluates by actors, each of
which has a `shard` of the gallery. Without Ray everything runs in one process, by `reidops_models.gallery`.
"""

from __future__ import annotations

from reidops_models.distributed.cluster import ClusterError, connected
from reidops_models.distributed.indexing import add_pictures
from reidops_models.distributed.searching import ShardedGallery

__all__ = ["ClusterError", "ShardedGallery", "add_pictures", "connected"]
