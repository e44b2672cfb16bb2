"""Which files Python code opens while a block runs: what a strategy reads by itself, nobody can poison."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Code, and what the system and the installation bring along; not data.
CODE = {".py", ".pyc", ".pyi", ".so", ".o", ".dylib"}
SYSTEM = tuple(f"{folder}/" for folder in ("/usr", "/etc", "/proc", "/sys", "/dev", sys.prefix, sys.base_prefix))
MEMORY = "/dev/shm/"  # no device: data is put there to be read fast
# What Python tells of asking others, where in its arguments the one that was asked is, and the word for it.
OTHERS = {
    "socket.connect": (1, "network"),
    "subprocess.Popen": (0, "process"),
    "os.system": (0, "process"),
    "sqlite3.connect": (0, "database"),
}
# Libraries that open files by themselves, of which Python hears nothing.
SILENT = {"duckdb", "h5py", "netCDF4", "polars", "pyarrow", "tables", "zarr"}
_listeners: list[set[str]] = []
_hooked: list[bool] = []


@contextmanager
def files_read(*, ignored: Path | None = None) -> Iterator[set[str]]:
    """The files that are opened for reading in the block; not those of the folder `ignored`.

    What it asks of others (a connection, a process, a database) is among them as a word of `OTHERS` and what was asked.
    """
    if not _hooked:
        sys.addaudithook(_heard)  # cannot be taken off again; it does nothing while nobody listens
        _hooked.append(True)
    found: set[str] = set()
    _listeners.append(found)
    try:
        yield found
    finally:
        _listeners.remove(found)
        hidden = {name for name in found if ignored is not None and Path(name).is_relative_to(ignored.resolve())}
        found -= hidden


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listeners:
        return
    if event in OTHERS:
        place, word = OTHERS[event]
        for listener in _listeners:
            listener.add(f"{word} {arguments[place]}")
    if event != "open":
        return
    path, mode, _ = arguments
    if not isinstance(path, str | bytes | os.PathLike) or "w" in (mode or "") or "a" in (mode or ""):
        return
    name = os.path.abspath(os.fsdecode(path))
    # Bytecode is written under a name of its own first, by a call that has no mode.
    is_code = os.path.splitext(name)[1] in CODE or os.path.basename(os.path.dirname(name)) == "__pycache__"
    if not is_code and (name.startswith(MEMORY) or not name.startswith(SYSTEM)):
        for listener in _listeners:
            listener.add(name)
