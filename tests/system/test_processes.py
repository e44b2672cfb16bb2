"""A child ends with its parent, also where the parent is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.waiting import MOMENT, wait_until

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
        wait_until(lambda: child.name() == "sleep")
        parent.send_signal(signal.SIGKILL)
    child.wait(timeout=MOMENT)


def test_a_child_whose_parent_is_gone_already_does_not_begin(tmp_path: Path) -> None:
    made = tmp_path / "made"
    command = [sys.executable, "-m", "strades_pipelines.system.processes", str(os.getppid()), "touch", str(made)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert not made.exists()
