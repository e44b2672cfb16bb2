"""The same sets on a Ray cluster: the bars once in its object store, chunks of sets as tasks that are tried again.

Ray is an optional extra (`strades[cluster]`), imported when a cluster is named. Its nodes need this package in the same
version; the file of a strategy is sent along.
"""

import itertools
import logging
import os
import stat
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from strades_pipelines.bad_input import BadInput
from strades_pipelines.simulation.runner import Result, SetRunner, SharedInputs

Set = Mapping[str, Any]
CHUNK = 100  # sets of a sweep in a task
AHEAD = 4  # tasks for each core of the cluster that wait or run
RETRIES = 10  # of a task whose worker or node died
HELD: dict[str, SetRunner[Any]] = {}  # a worker's runner, of the newest inputs alone


@dataclass(frozen=True)
class Shipped:
    """The inputs as they are sent: the strategy's file, where it is one, by its content; `token` is their own."""

    inputs: SharedInputs[Any]
    source: bytes | None
    token: str

    def unpacked(self) -> SharedInputs[Any]:
        """The inputs with files of this machine: the strategy's, and a cache of compiled code of its own."""
        named = self.inputs.strategy
        if self.source is not None:
            path, _, cls = named.rpartition(":") if ".py:" in named else (named, "", "")
            file = Path(tempfile.mkdtemp(prefix="strades-strategy-")) / Path(path).name
            file.write_bytes(self.source)
            named = f"{file}:{cls}" if cls else str(file)
        return replace(self.inputs, strategy=named, cache=code_folder())


def code_folder() -> Path:
    """Where this node keeps compiled code: a folder that nobody else can write to, since what lies there is run."""
    shared = Path(tempfile.gettempdir()) / f"strades-cluster-{os.getuid()}"
    shared.mkdir(mode=0o700, exist_ok=True)
    # Somebody else may have made it first, or laid a link there.
    found = shared.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
        return shared
    return Path(tempfile.mkdtemp(prefix="strades-cluster-"))


def run_on_cluster(
    inputs: SharedInputs[Result], sets: Iterable[Set], address: str, *, chunk: int = CHUNK
) -> Iterator[tuple[Set, Result]]:
    """Each set with its result, in the order of the sets, as in this process.

    Args:
        chunk: how many sets a task has.

    Raises:
        BadInput: Ray is not installed, or no cluster answers at the address.
    """
    ray = _connected(address)
    try:
        held = ray.put(_shipped(inputs))
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(_run_chunk)
        most = AHEAD * max(1, int(ray.cluster_resources().get("CPU", 1)))
        waiting: deque[tuple[Sequence[Set], Any]] = deque()
        source = iter(sets)
        while True:
            while len(waiting) < most and (some := list(itertools.islice(source, chunk))):
                waiting.append((some, task.remote(held, some)))
            if not waiting:
                return
            chosen, future = waiting.popleft()
            yield from zip(chosen, ray.get(future), strict=True)
    finally:
        ray.shutdown()


def _connected(address: str) -> Any:
    try:
        import ray
    except ImportError:
        raise BadInput(
            "--cluster: expected Ray to be installed (pip install 'strades[cluster]'), found it is not"
        ) from None
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        said = " ".join(str(error).split())
        raise BadInput(f"--cluster: expected a Ray cluster at {address}, found none ({said[:200]})") from None
    return ray


def _shipped(inputs: SharedInputs[Any]) -> Shipped:
    path = inputs.strategy.rpartition(":")[0] if ".py:" in inputs.strategy else inputs.strategy
    return Shipped(inputs, Path(path).read_bytes() if path.endswith(".py") else None, uuid4().hex)


def _run_chunk(shipped: Shipped, sets: Sequence[Set]) -> list[Any]:
    """Run some sets on a node, with the runner that its worker keeps."""
    if shipped.token not in HELD:
        HELD.clear()
        HELD[shipped.token] = shipped.unpacked().runner()
    return HELD[shipped.token].run_all(sets)
