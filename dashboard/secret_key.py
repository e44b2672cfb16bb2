"""Django's secret key: created once in the home, readable by its owner only."""

import os
import secrets
from contextlib import suppress
from pathlib import Path


def read_or_make_key(path: Path) -> str:
    """Return the key, and create the file if it is missing; of two processes that create it, the first one wins."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.{os.getpid()}")
        # With its mode before there is a key in it.
        part.touch(mode=0o600)
        part.write_text(secrets.token_urlsafe(48))
        # Unlike a rename, a link never replaces the key of another process, and no reader sees half of one.
        with suppress(FileExistsError):
            path.hardlink_to(part)
        part.unlink()
    return path.read_text()
