"""Write files so that they are whole or not there, and names so that they outlive a crash."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile


def write_whole(file: Path, content: bytes) -> None:
    """Write a file in one step: who reads meanwhile sees the old content or the new one, never a part."""
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as part:
        try:
            part.write(content)
            # What is in Python's buffer would be missing under the name.
            part.flush()
            os.chmod(part.name, 0o644)  # a temporary file is its owner's alone
            os.replace(part.name, file)
        except BaseException:
            os.unlink(part.name)
            raise


def flush_folder(folder: Path) -> None:
    """Have a folder's names on the disk: a file's own flush says nothing about its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
