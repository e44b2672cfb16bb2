"""End a run whose processes use more than a stated share of the memory, before the kernel ends its neighbours."""

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from strades_pipelines.supervision.process_table import Process, descendants, total_memory

CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
# To the kernel, a run is the first to go when memory ends all the same: it can be run again.
OOM_SCORE = "500"


@dataclass(frozen=True)
class Worker:
    """The process of a run, with what it started; `memory` in bytes."""

    pid: int
    pids: tuple[int, ...]
    memory: int


def memory_of_machine() -> int:
    """The memory that processes here may use, in bytes: of the machine, or of the container where that is less."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in CGROUP_LIMITS:
        # `max`, which means no limit, is no number.
        with suppress(OSError, ValueError):
            limits.append(int(Path(name).read_text()))
    return min(limits)


def workers(table: Mapping[int, Process], code: int) -> list[Worker]:
    """The runs of the code location whose process id is `code`: its children, spawned by multiprocessing."""
    found = []
    for process in table.values():
        if process.parent == code and "--multiprocessing-fork" in process.command:
            whole = [process, *descendants(table, process.pid)]
            found.append(Worker(process.pid, tuple(one.pid for one in whole), total_memory(whole)))
    return found


def too_large(found: list[Worker], limit: float) -> list[Worker]:
    """The workers that use more than `limit` bytes."""
    return [worker for worker in found if worker.memory > limit]


def let_the_kernel_end_it_first(worker: Worker) -> None:
    """Mark the processes of a run as the first to be killed when memory ends (Linux)."""
    if sys.platform == "linux":
        for pid in worker.pids:
            with suppress(OSError):
                Path(f"/proc/{pid}/oom_score_adj").write_text(OOM_SCORE)


def send(worker: Worker, number: signal.Signals) -> None:
    """Send a signal to all processes of a run."""
    for pid in worker.pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
