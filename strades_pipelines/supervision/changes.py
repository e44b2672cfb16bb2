"""Whether the files that the code location has loaded changed: `dagster api grpc` itself loads them only once."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

SECONDS = 3
Fingerprint = tuple[int, int]


def fingerprint(folders: Iterable[Path], files: Iterable[Path]) -> Fingerprint:
    """The number of `files` and of the Python files in `folders`, and a hash of their times and sizes."""
    found = [path for folder in folders for path in folder.rglob("*.py")] + list(files)
    states = []
    for path in sorted(found):
        try:
            status = path.stat()
        except OSError:
            continue
        states.append((str(path), status.st_mtime_ns, status.st_size))
    return len(states), hash(tuple(states))


class ChangeWatch:
    """Says once that files changed, when they have not changed further for `SECONDS` (a checkout takes a moment)."""

    def __init__(self, look: Callable[[], Fingerprint], clock: Callable[[], float] = time.monotonic) -> None:
        self._look, self._clock = look, clock
        self._loaded = self._seen = look()
        self._next = clock() + SECONDS

    def changed(self) -> bool:
        """Whether what was loaded is no longer what the files say."""
        if self._clock() < self._next:
            return False
        self._next = self._clock() + SECONDS
        before, self._seen = self._seen, self._look()
        return self._seen != self._loaded and self._seen == before

    def loaded(self) -> None:
        """What is there now was loaded."""
        self._loaded = self._seen
