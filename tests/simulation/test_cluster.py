"""A sweep on a Ray cluster of two nodes, each its own processes, one of them killed half-way: nothing is lost."""

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

import psutil
import pytest

from strades_pipelines.bad_input import BadInput
from strades_pipelines.simulation.backtest import Terms
from strades_pipelines.simulation.cluster import code_folder, run_on_cluster
from strades_pipelines.simulation.runner import Sweep
from tests.research.bars import bar_file

ray = pytest.importorskip("ray", reason="Ray is not installed; it comes with `pip install 'strades[ray]'`")

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


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[Node]]]:
    """The address of a cluster, and its two nodes."""
    address = f"127.0.0.1:{free_port()}"
    with tempfile.TemporaryDirectory(prefix="ray-") as short:  # a socket's path may have 107 characters
        logs = tmp_path / "logs"
        logs.mkdir()
        port = address.partition(":")[2]
        where = ["--node-ip-address=127.0.0.1", "--include-dashboard=false"]
        nodes = [Node(logs, "--head", f"--port={port}", f"--temp-dir={short}", *where, loopback=False)]
        try:
            wait_for(lambda: "Ray runtime started" in nodes[0].log.read_text(), nodes)
            nodes.append(Node(logs, f"--address={address}", "--node-ip-address=127.0.0.1", loopback=True))
            wait_for(lambda: "Ray runtime started" in nodes[1].log.read_text(), nodes)
            yield address, nodes
        finally:
            for node in reversed(nodes):
                node.kill()


def command(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """`strades sweep` in a process of its own."""
    surroundings = os.environ | SURROUNDINGS | {"STRADES_HOME": str(folder / "home")}
    started = [sys.executable, "-m", "strades_pipelines.cli", "sweep", f"{folder / 'slow.py'}:Slow", *words]
    return subprocess.Popen(started, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_node_killed_half_way_loses_nothing(cluster: tuple[str, list[Node]], tmp_path: Path) -> None:
    address, nodes = cluster
    for node in nodes:
        assert node.addresses() <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    ran = tmp_path / "ran"
    ran.touch()
    go = tmp_path / "go"
    (tmp_path / "slow.py").write_text(SLOW.format(log=str(ran), go=str(go)))
    words = [
        "--bars",
        str(bar_file(tmp_path)),
        "--range",
        "every=2:42",
        "--range",
        "size=1:8",
        "--no-ledger",
        "--json",
    ]
    working = command(tmp_path, *words, "--cluster", address)
    other = str(nodes[1].raylet)
    wait_for(lambda: ran.read_text().split().count(other) > 20 or working.poll() is not None, nodes)
    assert working.poll() is None, working.communicate()
    nodes[1].kill()
    done_before = len(ran.read_text().split())
    go.touch()
    said, log = working.communicate(timeout=240)
    assert working.returncode == 0, log
    assert "will be retried" in log
    assert 20 < done_before < 100
    far = json.loads(said)
    ran.write_text("")
    near = json.loads(command(tmp_path, *words).communicate(timeout=240)[0])
    assert len(far["sets"]) == 280
    assert far["sets"] == near["sets"]
    assert far["plateau"] == near["plateau"]


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
