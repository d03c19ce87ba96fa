"""A Ray cluster of two nodes on this machine, the same for all tests; a test that kills a node adds it first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_BACKEND_LOG_LEVEL"] = "fatal"
OBJECT_STORE = 80 << 20  # bytes of shared memory for each node


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """Two nodes with a processor each, and this process connected to them."""
    ray = pytest.importorskip("ray", reason="the extra `distributed` is not installed")
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": OBJECT_STORE}
    started = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    started.add_node(**node)
    ray.init(started.address, log_to_driver=False)
    yield started
    ray.shutdown()
    started.shutdown()
