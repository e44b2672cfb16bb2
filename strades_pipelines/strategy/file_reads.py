"""Which files Python code opens while a block runs: what a strategy reads by itself, nobody can poison."""

import os
import sys
import threading
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
    "socket.getaddrinfo": (0, "network"),
    "urllib.Request": (0, "network"),
    "subprocess.Popen": (0, "process"),
    "os.system": (0, "process"),
    "sqlite3.connect": (0, "database"),
}
# Libraries that open files by themselves, of which Python hears nothing.
SILENT = {"duckdb", "h5py", "netCDF4", "polars", "pyarrow", "tables", "zarr"}
# pandas imports pyarrow whether or not anything is read with it; these it does not.
READERS = {f"pyarrow.{name}" for name in ("csv", "dataset", "feather", "json", "orc", "parquet")}
_listeners: list[tuple[set[str], frozenset[int | None]]] = []  # what is heard, and of which threads nothing is
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
    # A thread that runs already does work of its own.
    others = {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}
    listener = (found, frozenset(others))
    _listeners.append(listener)
    try:
        yield found
    finally:
        _listeners[:] = [one for one in _listeners if one is not listener]
        hidden = {name for name in found if ignored is not None and Path(name).is_relative_to(ignored.resolve())}
        found -= hidden


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if not _listeners:
        return
    if event in OTHERS:
        place, word = OTHERS[event]
        _note(f"{word} {arguments[place]}")
    if event == "import" and (arguments[0] in READERS or arguments[0] in SILENT - {"pyarrow"}):
        _note(f"library {arguments[0]}")
    if event != "open":
        return
    path, mode, flags = arguments
    if not isinstance(path, str | bytes | os.PathLike) or _only_writes(mode, flags):
        return
    name = os.path.abspath(os.fsdecode(path))
    # Bytecode is written under a name of its own first, by a call that has no mode.
    is_code = os.path.splitext(name)[1] in CODE or os.path.basename(os.path.dirname(name)) == "__pycache__"
    if not is_code and (name.startswith(MEMORY) or not name.startswith(SYSTEM)):
        _note(name)


def _note(what: str) -> None:
    for found, others in _listeners:
        if threading.get_ident() not in others:
            found.add(what)


def _only_writes(mode: str | None, flags: int) -> bool:
    """Whether nothing that was in a file before can be read; `os.open` has no mode."""
    if mode is None:
        return bool(flags & os.O_WRONLY)
    return "w" in mode or "x" in mode or ("a" in mode and "+" not in mode)
