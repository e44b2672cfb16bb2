"""What a running `strades up` started, on disk, so that another command can end what is left of one that was killed."""

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from strades_pipelines.supervision.process_table import Process, processes, start_mark


@dataclass
class Record:
    """The processes of one `up`: each with the mark of its start, so that a reused process id is no mistake.

    Args:
        path: where it is kept.
        up: process id and mark of `up` itself.
        parts: of each part by its name; the process id is that of its group as well.
        stops_database: whether `up` started the embedded database, and stops it in the end.
        nginx_port: at which it serves all pages; None without NGINX.
    """

    path: Path
    up: tuple[int, str]
    parts: dict[str, tuple[int, str]] = field(default_factory=dict)
    stops_database: bool = False
    nginx_port: int | None = None

    def add(self, name: str, pid: int) -> None:
        """Note a part that was started, in place of the one before it."""
        self.parts[name] = (pid, start_mark(pid) or "")
        self.write()

    def write(self) -> None:
        """Write it as a whole: a reader sees the one before or this one."""
        document = {
            "up": self.up,
            "parts": self.parts,
            "stops_database": self.stops_database,
            "nginx_port": self.nginx_port,
        }
        new = self.path.with_name(self.path.name + ".new")
        new.write_text(json.dumps(document))
        new.replace(self.path)

    def remove(self) -> None:
        """Nothing is left."""
        self.path.unlink(missing_ok=True)

    def up_runs(self) -> bool:
        """Whether that `up` runs (or is stopped)."""
        return start_mark(self.up[0]) == self.up[1]

    def left(self) -> dict[str, list[Process]]:
        """The processes that still run, by part: the leader of a group and what else is in the group."""
        table = processes()
        return {
            name: found
            for name, (pid, mark) in self.parts.items()
            # None: the leader has ended, and left others in its group.
            if (found := _group(table.values(), pid)) and start_mark(pid) in (mark, None)
        }


def _group(table: Iterable[Process], group: int) -> list[Process]:
    return [process for process in table if process.group == group and not process.state.startswith("Z")]


def read_record(path: Path) -> Record | None:
    """The record at `path`; None where there is none that can be read."""
    try:
        document = json.loads(path.read_text())
        up_pid, up_mark = document["up"]
        parts = {str(name): (int(pid), str(mark)) for name, (pid, mark) in document["parts"].items()}
        port = document.get("nginx_port")
        up = (int(up_pid), str(up_mark))
        return Record(path, up, parts, bool(document["stops_database"]), None if port is None else int(port))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def new_record(path: Path, *, stops_database: bool, nginx_port: int | None) -> Record:
    """The record of this process, written."""
    record = Record(path, (os.getpid(), start_mark(os.getpid()) or ""), {}, stops_database, nginx_port)
    record.write()
    return record


def end_parts(record: Record) -> list[str]:
    """Kill (SIGKILL) what is left of the parts; returns their names."""
    ended = record.left()
    for name in ended:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(record.parts[name][0], signal.SIGKILL)
    return sorted(ended)


def end_up(record: Record, *, seconds: float) -> bool:
    """Ask an `up` to end, and kill it when it has not after `seconds`; False when it did not run."""
    if not record.up_runs():
        return False
    for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, seconds)):
        os.kill(record.up[0], number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not record.up_runs():
                return True
            time.sleep(0.05)
    return True
