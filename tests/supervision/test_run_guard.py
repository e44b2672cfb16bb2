"""A run that takes too much memory is ended; its neighbour goes on."""

import io
import os
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from strades_pipelines.settings import settings
from strades_pipelines.supervision import run_guard
from strades_pipelines.supervision.child import Child
from strades_pipelines.supervision.process_table import processes
from strades_pipelines.supervision.run_guard import RunGuard
from strades_pipelines.supervision.run_memory import memory_of_machine, workers
from strades_pipelines.system.terminal import Output
from tests.waiting import wait_until

# As Dagster's code location does: it spawns each run. The first grows by 400 MB, the second stays small.
CODE = """
import multiprocessing, time
def work(size):
    kept = b"x" * size
    time.sleep(60)
if __name__ == "__main__":
    for size in (400_000_000, 1_000_000):
        multiprocessing.get_context("spawn").Process(target=work, args=[size]).start()
    time.sleep(60)
"""


def test_the_greedy_run_is_ended_and_its_neighbour_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "location.py").write_text(CODE)
    monkeypatch.setattr(run_guard, "SECONDS", 0.1)
    monkeypatch.setenv("STRADES_RUN_MEMORY_SHARE", f"{200_000_000 / memory_of_machine():.6f}")
    monkeypatch.delenv("DAGSTER_HOME", raising=False)  # nobody to report to: it is ended all the same
    settings.cache_clear()
    log = tmp_path / "up.log"
    child = Child(
        "code", lambda: [sys.executable, "location.py"], lambda: os.environ, tmp_path, lambda *words: print(*words)
    )
    child.start()
    try:
        guard = RunGuard(Output(Console(file=io.StringIO()), log), child)

        def left() -> list[int]:
            guard.look()
            return [worker.pid for worker in workers(processes(), child.pid or 0)]

        wait_until(lambda: left() and log.exists())
        assert not guard.idle
        wait_until(lambda: len(left()) == 1, seconds=60)
        assert "more than STRADES_RUN_MEMORY_SHARE" in log.read_text()
        time.sleep(0.5)
        assert len(left()) == 1
    finally:
        settings.cache_clear()
        guard.close()
        child.kill()
