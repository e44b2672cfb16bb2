"""Django's secret key: made once into the home, for its owner alone."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def read_or_make_key(path: Path) -> str:
    """The key in the file, which is made where there is none; of two processes that make it, the first one wins."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        part.touch(mode=0o600)
        part.write_text(secrets.token_urlsafe(48))
        with suppress(FileExistsError):
            path.hardlink_to(part)
        part.unlink()
    return path.read_text()
