"""The hash of the parts of Strades that shape what a bundle comes to."""

import hashlib

from strades_pipelines.settings import PROJECT

PACKAGE = PROJECT / "strades_pipelines"


def hash_of_rooms(*rooms: str) -> str:
    """SHA-256 over the Python files and schemas of folders of `strades_pipelines`, by name."""
    digest = hashlib.sha256()
    for room in rooms:
        for file in sorted(path for path in (PACKAGE / room).rglob("*") if path.suffix in (".py", ".json")):
            digest.update(file.relative_to(PACKAGE).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()
