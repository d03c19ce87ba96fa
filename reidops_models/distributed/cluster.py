"""A Ray cluster: connected to, and watched while work runs on it."""

from __future__ import annotations

import logging
import os
import socket
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reidops_models.gallery.store import is_local

if TYPE_CHECKING:
    from ray.data import Dataset

    from reidops_models.checkpoint import Checkpoint

LOCAL = "local"
OBJECT_STORE = 1 << 30  # bytes of shared memory that a local instance takes
ANSWER = 10.0  # seconds in which the head of a cluster must answer
POLL = 1.0  # seconds between looks at the cluster
PATIENCE = 60.0  # seconds for which no node that can do the work is a pause, not the end


class ClusterError(ValueError):
    """A cluster that cannot be reached, or cannot do the work any more. The message is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


@contextmanager
def connected(address: str = LOCAL) -> Iterator[None]:
    """Work on a Ray cluster; where this process is connected already, on that one.

    No usage statistics are sent, and there is no dashboard.

    Args:
        address: of the cluster's head, "HOST:PORT"; "auto": the cluster to which this machine belongs; "local": an
            instance of its own, on this machine, which ends with the block.

    Raises:
        ClusterError: Ray is not installed, or no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # both are read when Ray is imported
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import lance_ray  # noqa: F401 - the same extra
        import ray
    except ImportError as error:
        raise ClusterError(f"Ray: {error}: install the extra: pip install 'reidops[distributed]'") from error
    if ray.is_initialized():
        yield
        return
    _check_that_somebody_answers(address)
    own: dict[str, Any] = {"object_store_memory": OBJECT_STORE, "include_dashboard": False} if address == LOCAL else {}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "lance is not fork-safe")  # Ray forks to execute its own programs
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, OSError, ValueError, RuntimeError) as error:
        raise ClusterError(f"Ray: no cluster at {address!r}: {error}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_that_somebody_answers(address: str) -> None:
    """Ray itself tries for minutes."""
    host, colon, port = address.rpartition(":")
    if not colon:
        return
    try:
        socket.create_connection((host, int(port)), timeout=ANSWER).close()
    except (OSError, OverflowError, ValueError) as error:
        raise ClusterError(f"Ray: no cluster at {address!r}: {error}") from error


def places(needs: Mapping[str, float]) -> int:
    """How many workers that need so much of each resource the living nodes have room for, if nothing else runs.

    Args:
        needs: such as {"CPU": 1, "GPU": 1}; 0 is no need.
    """
    import ray

    wanted = {name: amount for name, amount in needs.items() if amount}
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(int(min(node.get(name, 0) / amount for name, amount in wanted.items())) for node in alive)


class Watch:
    """Notices when no node is left that can do the work, and none comes in its place. Ray itself waits for ever.

    Args:
        needs: of one worker, as of :func:`places`.
        patience: seconds to wait for a node.
    """

    def __init__(self, needs: Mapping[str, float], patience: float = PATIENCE) -> None:
        self.needs = needs
        self.patience = patience
        self.stopped = False
        self.start()

    def start(self) -> None:
        """Count from now: new work begins."""
        self._looked = self._well = time.monotonic()

    def look(self) -> None:
        """Called often while the work goes on.

        Raises:
            ClusterError: no node could do the work for longer than `patience`.
        """
        now = time.monotonic()
        if now - self._looked < POLL:
            return
        self._looked = now
        if places(self.needs):
            self._well = now
        elif now - self._well >= self.patience:
            wanted = ", ".join(f"{amount:g} {name}" for name, amount in self.needs.items() if amount)
            raise ClusterError(
                f"Ray: a node was lost, and for {self.patience:g} s there was none with {wanted}. "
                "What was committed stays, and the same command goes on from there."
            )

    def over(self, data: Dataset) -> None:
        """Look while a pipeline runs. It ends with the error of :meth:`look`, and when :meth:`stop` is called."""
        from ray.data._internal.execution.execution_callback import ExecutionCallback

        watch = self

        class Callback(ExecutionCallback):
            def on_execution_step(self, executor: object) -> None:
                if watch.stopped:
                    raise ClusterError("Ray: stopped")
                watch.look()

        data.context.custom_execution_callback_classes = [Callback]

    def stop(self) -> None:
        """End the pipeline, if it still runs."""
        self.stopped = True


def cause(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """The error of a kind that a worker raised and Ray has wrapped; None where there is none."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or one in seen:
            continue
        if isinstance(one, kind):
            return one
        seen.append(one)
        left += [one.__cause__, one.__context__, getattr(one, "cause", None)]
    return None


def everywhere(path: str) -> str:
    """A path as workers find it, whose current folder is another one."""
    return str(Path(path).absolute()) if is_local(path) else path


def sent(checkpoint: Checkpoint) -> list[Any]:
    """A checkpoint for the constructors of actors, which :func:`arrived` takes out.

    It is put into the object store once. Ray could not start an actor anew whose arguments are in the store themselves;
    a reference in a list lives as long as the caller keeps the list.
    """
    import ray

    if checkpoint.device.type != "cpu":  # a worker may have no GPU
        checkpoint = replace(checkpoint, network=deepcopy(checkpoint.network).cpu())
    return [ray.put(checkpoint)]


def arrived(checkpoint: Sequence[Any]) -> Checkpoint:
    """What :func:`sent` has sent, on the GPU where Ray has given this worker one."""
    import ray

    found: Checkpoint = ray.get(checkpoint[0])
    return found.to("auto")


def failure(error: BaseException) -> ClusterError:
    """An error of Ray in one line: of a worker's trace, which is in it, the last one."""
    lines = str(error).strip().splitlines() or [""]
    return ClusterError(f"Ray: {type(error).__name__}: {lines[-1]}")


def ray_errors() -> type[Exception]:
    """What Ray raises."""
    from ray.exceptions import RayError

    return RayError
