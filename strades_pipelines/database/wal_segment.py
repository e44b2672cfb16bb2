"""Copy one WAL segment into the archive, or out of it: what `archive_command` and `restore_command` run.

`python -I wal_segment.py archive SEGMENT FOLDER` and `python -I wal_segment.py restore NAME TARGET FOLDER`. PostgreSQL
runs it as the server's user, and offers a segment again until it was archived. A program of its own with nothing but
the standard library, so that it starts in milliseconds. Segments are compressed: one that was closed early is mostly
zeros, and `archive_timeout` closes one every few minutes.
"""

import gzip
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

SUFFIX = ".gz"
BLOCK = 2**20


def archive(segment: Path, folder: Path) -> None:
    """Write `segment` into `folder` and flush it to the disk; an equal one there is success.

    Raises:
        FileExistsError: another segment of that name is archived; it is never overwritten.
        OSError: the copy could not be written.
    """
    copy = folder / (segment.name + SUFFIX)
    if not copy.exists():
        _write_new(segment, copy)
    elif not _holds(copy, segment):  # a server that crashed after the copy offers the same segment again
        raise FileExistsError(f"{copy}: another segment of that name is archived")
    _flush_names(folder)


def restore(name: str, target: Path, folder: Path) -> None:
    """Write the archived segment `name` to `target`.

    Raises:
        FileNotFoundError: it is not archived; PostgreSQL takes that as the end of the archive.
    """
    with gzip.open(folder / (name + SUFFIX)) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, BLOCK)


def _write_new(segment: Path, copy: Path) -> None:
    part = copy.with_name(copy.name + ".part")
    try:
        with segment.open("rb") as source, part.open("wb") as file:
            with gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as packed:
                shutil.copyfileobj(source, packed, BLOCK)
            file.flush()
            os.fsync(file.fileno())
        os.link(part, copy)  # unlike a rename it fails where the name is taken
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


def _holds(copy: Path, segment: Path) -> bool:
    with gzip.open(copy) as packed:
        return packed.read() == segment.read_bytes()


def _flush_names(folder: Path) -> None:
    """Flush the folder: the name of a copy, too, must outlive a crash."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def main(arguments: Sequence[str]) -> None:
    """Run one command; PostgreSQL's log gets the one line of a failure."""
    try:
        match arguments:
            case ["archive", segment, folder]:
                archive(Path(segment), Path(folder))
            case ["restore", name, target, folder]:
                restore(name, Path(target), Path(folder))
            case _:
                sys.exit("wal_segment: expected `archive SEGMENT FOLDER` or `restore NAME TARGET FOLDER`")
    except (OSError, EOFError) as error:
        sys.exit(f"wal_segment: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
