"""What a cluster has room for, and what is said where there is none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reidops_models.cli.arguments import gpus_of_workers
from reidops_models.cli.console import CommandError
from reidops_models.distributed import ClusterError, connected
from reidops_models.distributed.cluster import cause, places

pytestmark = pytest.mark.xdist_group("ray")

Run = Callable[..., tuple[int, str, list[str]]]


def test_ray_is_imported_when_it_is_used() -> None:
    program = "import sys, reidops_models.distributed; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert {"ray", "lance_ray"}.isdisjoint(done.stdout.split())


def test_places_are_counted_node_by_node(cluster: Any) -> None:
    assert places({"CPU": 1}) == 2
    assert places({"CPU": 0.75, "GPU": 0}) == 2  # one on each, and no third of what both have left
    assert places({"CPU": 0.25}) == 8
    assert places({"CPU": 0.25, "GPU": 1}) == 0


def test_a_process_that_is_connected_stays_so(cluster: Any) -> None:
    import ray

    with connected("10.255.255.1:1"):  # is not looked for
        assert ray.is_initialized()
    assert ray.is_initialized()


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:none", "nonsense"])
def test_where_no_cluster_answers_there_is_one_line(
    address: str, run: Run, people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="the extra `distributed` is not installed")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    code, _, lines = run("index", people / "query", "--out", tmp_path / "people.lance", "--ray", address)
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith(f"reidops: Ray: no cluster at {address!r}: ")


def test_without_ray_there_is_one_line(monkeypatch: pytest.MonkeyPatch, run: Run, people: Path, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "lance_ray", None)
    line = r"^Ray: .*: install the extra: pip install 'reidops\[distributed\]'$"
    with pytest.raises(ClusterError, match=line), connected():
        pass
    code, _, lines = run("index", people / "query", "--out", tmp_path / "people.lance", "--ray", "local")
    assert (code, len(lines)) == (2, 1)
    assert lines[0].endswith("install the extra: pip install 'reidops[distributed]'")


def test_a_worker_s_error_is_found_in_what_wraps_it() -> None:
    inner = ClusterError("lost\nfor good")
    assert str(inner) == "lost for good"
    outer = RuntimeError("a task failed")
    outer.__cause__ = inner
    assert cause(outer, ClusterError) is inner
    assert cause(outer, KeyError) is None


def test_a_device_is_a_kind_of_worker() -> None:
    assert [gpus_of_workers(device) for device in ("auto", "cpu", "cuda")] == [None, 0, 1]
    with pytest.raises(CommandError, match=r"^--device: with --ray expected auto, cpu or cuda, got 'cuda:1'$"):
        gpus_of_workers("cuda:1")


def test_the_commands_with_a_cluster_answer_as_without(
    cluster: Any, run: Run, people: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`index` and `search`, in this process and by workers: the same lines and the same files."""
    monkeypatch.chdir(tmp_path)  # so that workers would look elsewhere
    answers = []
    for name, words in {"here": [], "there": ["--ray", cluster.address]}.items():
        gallery, out = f"{name}.lance", Path(name)
        code, printed, _ = run("index", pictures.name, "--out", gallery, *words)
        assert (code, printed) == (0, f"{gallery}: 12 images (12 new, 0 changed, 0 as they were)\n")
        probes = ["--probe", people / "query", "--top", "5", "--threshold", "0.1"]
        code, printed, _ = run("search", "--gallery", gallery, *probes, "--out", out, *words)
        assert code == 0
        answers.append((printed.replace(name, ""), (out / "matches.csv").read_text()))
    assert answers[0] == answers[1]
