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
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

SUFFIX = ".gz"
BLOCK = 2**20
FATAL = 200  # above 125 PostgreSQL ends a recovery; it takes any other code for the end of the archive


class NotArchived(LookupError):
    """The archive ends before this segment."""


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
        NotArchived: it is not in the archive, which is there.
        EOFError, OSError, zlib.error: the archive, or this segment of it, cannot be read.
    """
    try:
        packed = (folder / (name + SUFFIX)).open("rb")
    except FileNotFoundError:
        if folder.is_dir():
            raise NotArchived(f"{name} is not in {folder}") from None
        raise
    with packed, gzip.GzipFile(fileobj=packed) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, BLOCK)


def _write_new(segment: Path, copy: Path) -> None:
    part = copy.with_name(copy.name + ".part")
    try:
        with segment.open("rb") as source, part.open("wb") as file:
            # Without a name and a time: the same segment gives the same bytes.
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
    """Run one command; PostgreSQL's log gets the one line of a failure.

    Exit codes: 1 where a segment was not archived (the server tries again) or is not in the archive (where a recovery
    ends well), `FATAL` where a recovery would end early without a word.
    """
    match arguments:
        case ["archive", segment, folder]:
            _run(lambda: archive(Path(segment), Path(folder)), failed=1)
        case ["restore", name, target, folder]:
            _run(lambda: restore(name, Path(target), Path(folder)), failed=FATAL)
        case _:
            sys.exit("wal_segment: expected `archive SEGMENT FOLDER` or `restore NAME TARGET FOLDER`")


def _run(command: Callable[[], None], *, failed: int) -> None:
    try:
        command()
    except NotArchived as error:
        sys.exit(f"wal_segment: {error}")
    except (OSError, EOFError, zlib.error) as error:
        print(f"wal_segment: {error}", file=sys.stderr)
        sys.exit(failed)


if __name__ == "__main__":
    main(sys.argv[1:])
