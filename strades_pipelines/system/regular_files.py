"""Read files that a user names, and refuse what is no file: a device never ends, and a FIFO waits for a writer."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
# Windows has none of these; a FIFO opens without waiting for its writer, and a terminal does not become ours.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


class NotARegularFile(OSError):
    """A path names no regular file, or one that is too large. `strerror` says what it is, without the path."""

    def __init__(self, path: Path, found: str) -> None:
        super().__init__(0, found, str(path))

    def __str__(self) -> str:
        return f"{self.filename}: expected a regular file, was {self.strerror}"


def open_regular(path: Path, *, most_bytes: int) -> BinaryIO:
    """Open a regular file for reading.

    The kind is that of the open descriptor, so no other program can put a device in its place after the check.

    Raises:
        NotARegularFile: a device, FIFO, socket or folder, or more than `most_bytes` bytes.
        OSError: missing, or not readable for this user.
    """
    descriptor = os.open(path, _FLAGS)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotARegularFile(path, _KINDS.get(stat.S_IFMT(found.st_mode), "something else"))
        if found.st_size > most_bytes:
            raise NotARegularFile(path, _larger_than(most_bytes))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, *, most_bytes: int) -> bytes:
    """Read a regular file whole. Raises what `open_regular` raises, also for a file that grows while it is read."""
    with open_regular(path, most_bytes=most_bytes) as file:
        body = file.read(most_bytes + 1)  # files of /proc say that they have no bytes
    if len(body) > most_bytes:
        raise NotARegularFile(path, _larger_than(most_bytes))
    return body


def check_regular(path: Path, *, most_bytes: int) -> None:
    """Refuse what `open_regular` refuses, for a library that opens the path itself."""
    open_regular(path, most_bytes=most_bytes).close()


def check_output(path: Path) -> None:
    """Refuse to write to a path that exists and is no regular file: a FIFO waits for a reader, a device is lost.

    Raises:
        NotARegularFile: with what it is.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return  # missing: it will be made, or the writer says why not
    if kind != stat.S_IFREG:
        raise NotARegularFile(path, _KINDS.get(kind, "something else"))


def _larger_than(most_bytes: int) -> str:
    return f"one of more than {most_bytes} bytes"
