"""What the operating system says of processes, on Linux and macOS."""

import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One row of the process table; `memory` is its resident set in bytes, `state` as in ps(1)."""

    pid: int
    parent: int
    group: int
    memory: int
    state: str
    command: str


def processes() -> dict[int, Process]:
    """Every process of this machine (of this container), by process id."""
    # -ww: otherwise ps cuts the command lines, by which processes are known here.
    listing = subprocess.run(
        ["ps", "-A", "-ww", "-o", "pid=,ppid=,pgid=,rss=,stat=,args="], capture_output=True, text=True, check=False
    ).stdout
    found = (_process(line) for line in listing.splitlines())
    return {process.pid: process for process in found if process is not None}


def _process(line: str) -> Process | None:
    fields = line.split(None, 5)
    if len(fields) < 5:
        return None
    pid, parent, group, kilobytes = map(int, fields[:4])
    return Process(pid, parent, group, kilobytes * 1024, fields[4], fields[5] if len(fields) > 5 else "")


def descendants(table: Mapping[int, Process], pid: int) -> list[Process]:
    """The children of a process, their children, and so on; nearest first."""
    children: dict[int, list[Process]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    queue = [pid]
    while queue:
        offspring = [child for child in children.pop(queue.pop(0), []) if child.pid != pid]
        found += offspring
        queue += [child.pid for child in offspring]
    return found


def total_memory(parts: Iterable[Process]) -> int:
    """Resident bytes of processes together; pages they share count for each."""
    return sum(process.memory for process in parts)


def start_mark(pid: int) -> str | None:
    """When a process started, as text that no later process with the same id shares; None for no process."""
    if sys.platform == "linux":
        try:
            # The name of a command may hold blanks and brackets: the other fields are behind the last bracket.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            # Start times count from the boot: after another one, the same number is another process.
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"
    mark = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return mark.strip() or None


def is_stopped(pid: int | None) -> bool:
    """Whether a process was stopped (SIGSTOP, SIGTSTP)."""
    if pid is None:
        return False
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
        except OSError:
            return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip().startswith("T")
