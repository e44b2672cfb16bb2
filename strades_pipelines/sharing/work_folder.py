"""The folder in which code of others writes: how much stands in it, and its removal however deep it is."""

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

MOST_BYTES = 512 * 2**20  # on the disk, of all files together
MOST_ENTRIES = 10_000  # files and folders; each look counts them all


@contextmanager
def work_folder() -> Iterator[Path]:
    """An empty folder for this user alone, removed at the end with all that stands in it then."""
    folder = Path(tempfile.mkdtemp(prefix="strades-bundle-"))
    try:
        yield folder
    finally:
        remove_folder(folder)


def find_excess(folder: Path) -> str | None:
    """What is too much in a folder that another process writes to, or hides how much it is; None where it is fine."""
    entries = size = 0
    folders = [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as found:
                for entry in found:
                    entries += 1
                    # Blocks of 512 bytes, whatever the file system's: a file with holes takes less than its length.
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entries > MOST_ENTRIES:
                        return f"expected at most {MOST_ENTRIES} files and folders, it writes more"
                    if size > MOST_BYTES:
                        return f"expected files of at most {MOST_BYTES // 2**20} MiB together, it writes more"
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
        except (FileNotFoundError, NotADirectoryError):
            continue  # gone since it was listed
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.ENAMETOOLONG):
                raise
            return "expected folders that can be read, it makes others"
    return None


def remove_folder(folder: Path) -> None:
    """Remove a folder that nobody writes to any more, and all below it.

    Not `shutil.rmtree`, which before Python 3.14 calls itself for each level, and needs a descriptor for each: folders
    of folders are moved up to the first level.
    """
    moved = (folder / f"{secrets.token_hex(8)}-{number}" for number in count())
    while children := _remove_files(folder):
        for child in children:
            for below in _remove_files(child):
                os.rename(below, next(moved))
            os.rmdir(child)
    os.rmdir(folder)


def _remove_files(folder: Path | str) -> list[str]:
    """Remove the files and links of a folder; its folders, each with all rights of its owner, as a move needs them."""
    folders = []
    with os.scandir(folder) as found:
        # All at once: what is removed while a folder is read may hide others.
        entries = list(found)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, 0o700)
            folders.append(entry.path)
        else:
            os.unlink(entry.path)
    return folders
