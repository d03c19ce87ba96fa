"""A Ray cluster of two nodes on this machine, the same for all tests; a test that kills a node adds it first."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reidops_models.data import list_images

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


@pytest.fixture
def pictures(people: Path, tmp_path: Path) -> Path:
    """12 pictures of the tiny benchmark, which a test may change."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in list_images(people / "bounding_box_test")[:12]:
        shutil.copy2(path, folder)
    return folder
