"""Watch the memory of the runs of the code location (`STRADES_RUN_MEMORY_SHARE`), and end one that takes too much."""

import os
import signal
import subprocess
import sys
import time

from strades_pipelines.settings import PROJECT, settings
from strades_pipelines.supervision.child import Child
from strades_pipelines.supervision.process_table import processes
from strades_pipelines.supervision.run_memory import (
    Worker,
    let_the_kernel_end_it_first,
    memory_of_machine,
    send,
    too_large,
    workers,
)
from strades_pipelines.system.child_environment import for_dagster
from strades_pipelines.system.processes import tied_to_this_process
from strades_pipelines.system.terminal import Output

SECONDS, REPORT_SECONDS = 1, 60


class RunGuard:
    """Looks at the processes of runs about once a second; call `look` from the main thread.

    Args:
        code: the code location, whose children are the runs.
    """

    def __init__(self, output: Output, code: Child) -> None:
        self._output, self._code = output, code
        self._limit = settings().run_memory_share * memory_of_machine()
        self._next = 0.0
        self._known: set[int] = set()
        self._ending: dict[int, tuple[Worker, subprocess.Popen[bytes], float]] = {}

    @property
    def idle(self) -> bool:
        """Whether no run is in progress."""
        return not self._known

    def look(self) -> None:
        """Look, if a second has passed."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + SECONDS
        self._finish(now)
        code = self._code.pid
        found = [] if code is None else workers(processes(), code)
        for worker in found:
            if worker.pid not in self._known:
                let_the_kernel_end_it_first(worker)
        self._known = {worker.pid for worker in found}
        for worker in too_large(found, self._limit):
            if worker.pid not in self._ending:
                self._end(worker, now)

    def close(self) -> None:
        """Wait for no report."""
        for _, report, _ in self._ending.values():
            report.kill()

    def _end(self, worker: Worker, now: float) -> None:
        """Stop its growth at once; kill it when Dagster knows why."""
        send(worker, signal.SIGSTOP)
        share = settings().run_memory_share
        message = (
            f"ended: it used {worker.memory / 1e9:.1f} GB of memory, more than STRADES_RUN_MEMORY_SHARE={share:g} "
            f"of the machine's {self._limit / share / 1e9:.1f} GB; run it over fewer months, or raise the share"
        )
        self._output.note("code", f"the run of process {worker.pid} is {message}")
        command = [
            sys.executable,
            "-m",
            "strades_pipelines.orchestration.instance_setup",
            "end",
            str(worker.pid),
            message,
        ]
        report = subprocess.Popen(
            tied_to_this_process(command),
            cwd=PROJECT,
            env=for_dagster(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._ending[worker.pid] = (worker, report, now + REPORT_SECONDS)

    def _finish(self, now: float) -> None:
        for pid, (worker, report, deadline) in list(self._ending.items()):
            if report.poll() is not None or now > deadline:
                report.kill()
                send(worker, signal.SIGKILL)
                del self._ending[pid]
