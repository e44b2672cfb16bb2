"""A child ends with its parent, also where the parent is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

PARENT = """
import subprocess, sys, time
from strades_pipelines.system.processes import tied_to_this_process
child = subprocess.Popen(tied_to_this_process(["sleep", "60"]))
print(child.pid, flush=True)
time.sleep(60)
"""


def test_a_child_ends_with_a_parent_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        _wait_until(lambda: child.name() == "sleep")
        parent.send_signal(signal.SIGKILL)
    child.wait(timeout=5)


def test_a_child_whose_parent_is_gone_already_does_not_begin(tmp_path: Path) -> None:
    made = tmp_path / "made"
    command = [sys.executable, "-m", "strades_pipelines.system.processes", str(os.getppid()), "touch", str(made)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not made.exists()


def _wait_until(condition: object, seconds: float = 10) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
