"""Child processes that do not outlive their parent, however that ends: also by SIGKILL, which no handler sees.

On Linux the kernel does it (`PR_SET_PDEATHSIG`, prctl(2)); elsewhere a small process watches and kills. The kernel
counts the *thread* that started the child as its parent, so start children from a thread that lives as long as the
process does.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.5


def tied_to_this_process(command: Sequence[str]) -> list[str]:
    """The command line that runs `command` (any program) so that it is killed when this process ends.

    The program keeps the process id of what is started: the wrapper replaces itself by it.
    """
    return [sys.executable, "-m", "strades_pipelines.system.processes", str(os.getpid()), *command]


def die_with_parent(parent: int) -> None:
    """Have this process killed (SIGKILL) when `parent`, its parent's process id, ends. It may have ended already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    elif os.fork() == 0:
        _watch(parent, os.getppid())
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _watch(parent: int, child: int) -> None:
    """Kill `child` when `parent` is gone; end when `child` is."""
    while os.getppid() == child:
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os.kill(child, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
    os._exit(0)


def tie_run_to_code_location() -> None:
    """Have a run, which Dagster's code location spawns by multiprocessing, killed when the code location ends.

    The thread that spawned it lives as long as the code location: it belongs to the pool of its gRPC server.
    """
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None and multiprocessing.current_process().name.startswith("Spawn"):
        die_with_parent(parent.pid)


if __name__ == "__main__":
    die_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
