"""A part that cannot be started again is not the process of before, whose id may soon be somebody else's."""

import os
import sys
from pathlib import Path

import pytest

from strades_pipelines.supervision.child import Child


def test_a_start_that_fails_forgets_the_process_of_before(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    pids: list[int] = []
    command = [sys.executable, "-c", "raise SystemExit(7)"]
    child = Child(
        "part",
        lambda: command,
        lambda: os.environ,
        folder,
        lambda name, line: None,
        lambda name, pid: pids.append(pid),
    )
    child.start()
    before = child._process
    assert before is not None
    assert before.wait(60) == 7
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        child.start()
    assert (child.pid, len(pids)) == (None, 1)
    assert child._process is None  # `kill` would signal its group
