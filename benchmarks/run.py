"""`strades run` from an empty home: how long, layer by layer, and how much memory all its processes take together."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

INTERVAL = 0.25
STRADES = str(Path(sys.executable).with_name("strades"))


def main() -> None:
    """Print the figures of a first run, with the set-up done before, and of a second one."""
    with empty_home() as environment:
        for title in ("first run", "second run, nothing new"):
            document = measured(title, [STRADES, "run", "--json"], environment)
            for layer, spent in document["seconds"].items():
                print(f"  {layer:12} {spent:6.2f} s  {document['rows'].get(layer, 0):>9,} rows")


@contextmanager
def empty_home() -> Iterator[dict[str, str]]:
    """The environment of commands in a home of their own: its database is there, and nothing is in it."""
    with tempfile.TemporaryDirectory(prefix="strades-bench-") as folder:
        # PostgreSQL runs as a user of its own where this is root.
        Path(folder).chmod(0o755)
        environment = {**os.environ, "STRADES_HOME": folder, "STRADES_SANDBOX_NOW": "2026-11-20T12:00:00Z"}
        subprocess.run([STRADES, "doctor"], env=environment, stdout=subprocess.DEVNULL, check=False)
        try:
            yield environment
        finally:
            subprocess.run([STRADES, "db", "stop"], env=environment, stdout=subprocess.DEVNULL, check=False)


def measured(title: str, command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """The document of a command, with its `peak` memory in bytes, `own_peak` without the server's, and a line about it.

    Processor time is that of the command and its children, without the database's: beside other work it says more than
    seconds do.
    """
    started, worked = time.perf_counter(), _processor_seconds()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    server = int((Path(environment["STRADES_HOME"]) / "postgres/data/postmaster.pid").read_text().split()[0])
    peak = own_peak = 0
    while process.poll() is None:
        own = _memory(process.pid)
        peak, own_peak = max(peak, own + _memory(server)), max(own_peak, own)
        time.sleep(INTERVAL)
    seconds = time.perf_counter() - started
    document: dict[str, Any] = json.loads(process.stdout.read() if process.stdout else "{}")
    print(
        f"{title}: {seconds:.1f} s, {_processor_seconds() - worked:.1f} s of processor, load {os.getloadavg()[0]:.1f}, "
        f"peak summed memory {peak / 1e9:.2f} GB, exit code {process.returncode}"
    )
    return document | {"peak": peak, "own_peak": own_peak}


def _processor_seconds() -> float:
    """Of all child processes that ended."""
    times = os.times()
    return times.children_user + times.children_system


def _memory(root: int) -> int:
    """Summed proportional set size of a process and all below it, in bytes: shared pages count once."""
    total = 0
    try:
        processes = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in processes:
        try:
            total += getattr(process.memory_full_info(), "pss", None) or process.memory_info().rss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total
