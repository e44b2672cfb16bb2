"""Sweeps and walk-forward folds on a Ray cluster of two nodes, each its own processes, one killed half-way."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.simulation.backtest import Terms
from strades_pipelines.simulation.cluster import code_folder, run_on_cluster
from strades_pipelines.simulation.runner import Sweep
from tests.research.bars import bar_file

ray = pytest.importorskip("ray", reason="Ray is not installed; it comes with `pip install 'strades[cluster]'`")

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[2]
# Each set leaves a line with its node's raylet, so that the test sees where it ran. A worker that has run thirty waits
# until the test lets all go on: else one node, on a busy machine, would have done all of it before the other has begun.
SLOW = """
import os, time
from pathlib import Path
from strades_pipelines.strategy.strategy import Strategy

class Slow(Strategy):
    every: int = 2
    size: float = 1.0

    def on_start(self, account):
        self.k = 0
        node = str(os.getppid())
        with open({log!r}, "a") as file:
            file.write(node + "\\n")
        while not Path({go!r}).exists() and Path({log!r}).read_text().split().count(node) >= 30:
            time.sleep(0.05)

    def on_aggregate_bar(self, bar, account):
        self.k += 1
        account.target[bar.i] = self.size if self.k % self.every == 0 else 0.0
"""
# On the loopback, and nobody is told that it runs.
SURROUNDINGS = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(PROJECT)}


def free_port() -> int:
    """A port that Ray does not keep for its workers."""
    while True:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            port = int(held.getsockname()[1])
        if not 10_000 <= port < 20_000:
            return port


class Node:
    """The processes of one node."""

    def __init__(self, folder: Path, *words: str, loopback: bool) -> None:
        program = [str(PROJECT / "tests/simulation/ray_node.py")] if loopback else ["-m", "ray.scripts.scripts"]
        given = ["start", *words, "--num-cpus=1", "--object-store-memory=80000000", "--block"]
        surroundings = os.environ | SURROUNDINGS
        if loopback:
            surroundings |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1"}
        self.log = folder / f"{len(list(folder.iterdir()))}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, *program, *given], env=surroundings, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """Kill all of them at once."""
        with suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.process.pid)
            for process in [own, *own.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
        self.process.wait()

    @property
    def raylet(self) -> int | None:
        """The process that starts this node's workers; None while it is not there."""
        own = psutil.Process(self.process.pid)
        return next((one.pid for one in own.children(recursive=True) if one.name() == "raylet"), None)

    def addresses(self) -> set[str]:
        """Where its processes listen."""
        own = psutil.Process(self.process.pid)
        found = set()
        for process in own.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                found |= {one.laddr.ip for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN}
        return found


def wait_for(what: Callable[[], bool], nodes: list[Node], seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "\n".join(node.log.read_text()[-2000:] for node in nodes)
        time.sleep(0.1)


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Node]]:
    """The address of a cluster, and its first node."""
    address = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="ray-") as short:  # a socket's path may have 107 characters
        port = address.partition(":")[2]
        where = ["--node-ip-address=127.0.0.1", "--include-dashboard=false"]
        words = ["--head", f"--port={port}", f"--temp-dir={short}", *where]
        node = Node(tmp_path_factory.mktemp("head"), *words, loopback=False)
        try:
            wait_for(lambda: "Ray runtime started" in node.log.read_text(), [node])
            yield address, node
        finally:
            node.kill()


@pytest.fixture
def cluster(head: tuple[str, Node], tmp_path: Path) -> Iterator[tuple[str, list[Node]]]:
    """The address of the cluster, and its two nodes; the second is the test's own."""
    address, first = head
    logs = tmp_path / "logs"
    logs.mkdir()
    second = Node(logs, f"--address={address}", "--node-ip-address=127.0.0.1", loopback=True)
    try:
        wait_for(lambda: "Ray runtime started" in second.log.read_text(), [first, second])
        yield address, [first, second]
    finally:
        second.kill()


def command(folder: Path, name: str, *words: str) -> "subprocess.Popen[str]":
    """`strades sweep` or `strades study` in a process of its own."""
    surroundings = os.environ | SURROUNDINGS | {"STRADES_HOME": str(folder / "home")}
    started = [sys.executable, "-m", "strades_pipelines.cli", name, f"{folder / 'slow.py'}:Slow", *words]
    return subprocess.Popen(started, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(process: "subprocess.Popen[str]") -> str:
    """What a command wrote, to the last byte, but for the seconds that it took."""
    said, log = process.communicate(timeout=240)
    assert process.returncode == 0, log
    document = json.loads(said)
    assert document.pop("seconds") > 0
    return json.dumps(document)


class Slow:
    """The strategy that leaves a line for each run, in a folder; `go` lets all go on."""

    def __init__(self, folder: Path) -> None:
        self.ran, self._go = folder / "ran", folder / "go"
        self.ran.touch()
        (folder / "slow.py").write_text(SLOW.format(log=str(self.ran), go=str(self._go)))

    def runs(self, raylet: str | None = None) -> int:
        """How many runs began, all or those of a node."""
        begun = self.ran.read_text().split()
        return len(begun) if raylet is None else begun.count(raylet)

    def go_on(self) -> None:
        self._go.touch()


def run_and_kill_a_node(cluster: tuple[str, list[Node]], slow: Slow, folder: Path, *words: str) -> str:
    """What a command says that runs on the cluster, whose second node is killed when it has run some sets."""
    address, nodes = cluster
    working = command(folder, *words, "--cluster", address)
    other = str(nodes[1].raylet)
    wait_for(lambda: slow.runs(other) > 20 or working.poll() is not None, nodes)
    assert working.poll() is None, working.communicate()
    nodes[1].kill()
    done_before = slow.runs()
    slow.go_on()
    said, log = working.communicate(timeout=240)
    assert working.returncode == 0, log
    # Ray tells of the node that ended, of its tasks that are begun again, or of both: as its driver hears of them.
    assert "Raylet is terminated" in log or "will be retried" in log, log
    assert 20 < done_before < 100
    return said


RANGES = ("--range", "every=2:42", "--no-ledger", "--json")


def test_a_node_killed_half_way_loses_nothing_of_a_sweep(cluster: tuple[str, list[Node]], tmp_path: Path) -> None:
    for node in cluster[1]:
        assert node.addresses() <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    words = ["sweep", "--bars", str(bar_file(tmp_path)), *RANGES, "--range", "size=1:8"]
    far = json.loads(run_and_kill_a_node(cluster, Slow(tmp_path), tmp_path, *words))
    del far["seconds"]
    assert len(far["sets"]) == 280
    for jobs in ("1", "2"):  # in one process, and in a pool
        assert told(command(tmp_path, *words, "--jobs", jobs)) == json.dumps(far)


def test_walk_forward_folds_are_the_same_bytes_here_in_a_pool_and_on_a_cluster_that_lost_a_node(
    cluster: tuple[str, list[Node]], tmp_path: Path
) -> None:
    closes = [round(price, 2) for price in 100.0 + np.random.default_rng(2).normal(0.0, 1.0, 120).cumsum()]
    bars = str(bar_file(tmp_path, closes))
    words = ["study", "--bars", bars, *RANGES, "--choices", "size=1,-1,0.5", "--train", "40", "--test", "20"]
    far = json.loads(run_and_kill_a_node(cluster, Slow(tmp_path), tmp_path, *words))
    del far["seconds"]
    assert (far["sets"], len(far["splits"])) == (120, 4)
    assert len({json.dumps(fold["parameters"]) for fold in far["splits"]}) > 1
    for jobs in ("1", "2"):
        assert told(command(tmp_path, *words, "--jobs", jobs)) == json.dumps(far)


def test_an_address_without_a_cluster_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "1")
    sweep = Sweep("sma_cross", {}, [], Terms(), "compiled", tmp_path)
    with pytest.raises(BadInput, match="--cluster: expected a Ray cluster at nowhere, found none"):
        next(run_on_cluster(sweep, [{}], "nowhere"))


def test_compiled_code_is_kept_where_nobody_else_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = code_folder()
    assert own == code_folder()
    assert own.stat().st_mode & 0o777 == 0o700
    own.chmod(0o777)
    other = code_folder()
    assert other != own
    assert other.stat().st_mode & 0o777 == 0o700
    own.rmdir()
    own.symlink_to(other)
    assert code_folder() not in (own, other)
