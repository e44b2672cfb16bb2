"""A part that is a program: a child in a process group of its own, which the kernel ends when this process ends."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from strades_pipelines.system.processes import tied_to_this_process

TRACKER_SECONDS = 0.5


class Child:
    """Runs a command; its lines of output go to `write` (name, line).

    Args:
        command: makes the command line, at each start.
        environment: makes its whole environment, at each start.
        started: called with the name and process id after each start.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[], Sequence[str]],
        environment: Callable[[], Mapping[str, str]],
        folder: Path,
        write: Callable[[str, str], None],
        started: Callable[[str, int], None] = lambda name, pid: None,
    ) -> None:
        self.name, self._command, self._environment = name, command, environment
        self.folder, self._write, self._started = folder, write, started
        self._process: subprocess.Popen[str] | None = None
        self.started_at = datetime.now(UTC)

    @property
    def pid(self) -> int | None:
        """The process id; None while it does not run. It is the id of its process group as well."""
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def start(self) -> None:
        """Start it. Call from the main thread: to the kernel the thread that starts a child is its parent."""
        self.started_at = datetime.now(UTC)
        self._process = None  # of before: where no other can be made, its id may soon be somebody else's
        self._process = subprocess.Popen(
            tied_to_this_process(self._command()),
            cwd=self.folder,
            env=dict(self._environment()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches the supervisor alone
        )
        self._started(self.name, self._process.pid)
        Thread(target=self._follow, args=(self._process,), name=f"output-{self.name}", daemon=True).start()

    def ended(self) -> str | None:
        """Why it does not run; None while it does."""
        code = 0 if self._process is None else self._process.poll()
        if code is None:
            return None
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def terminate(self) -> None:
        """Send SIGTERM to its group."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it, then what it leaves behind: the code location its runs.

        Python's resource tracker, which is in its group, gets a moment to remove the semaphores of the killed process.
        """
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        deadline = time.monotonic() + TRACKER_SECONDS
        # Signal 0 is sent to nobody: it tells whether the group is there.
        while time.monotonic() < deadline and self._signal(0):
            time.sleep(0.02)
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> bool:
        """Send a signal to its group; whether there is one."""
        with suppress(ProcessLookupError, PermissionError):
            if self._process is not None:
                os.killpg(self._process.pid, number)
                return True
        return False

    def _follow(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with suppress(ValueError):
            for line in process.stdout:
                self._write(self.name, line.rstrip("\n"))
